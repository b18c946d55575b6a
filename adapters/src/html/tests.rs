use proptest::prelude::*;

use super::*;

#[test]
fn words_lines_and_cells_are_kept_and_nothing_else() {
    let html = "<!DOCTYPE html><HTML><head><title>x</title><style>p{}</style></head><body \
        onload=\"alert('>')\"><p>Dear&nbsp;Dr&#146;s&rsquo;</p><!-- secret --><script>if (a<b) \
        alert(1)</script><table><tr><td>Weight</td><td>12 kg</td></tr></table><ul><li>one<li>two\
        </ul>BP < 120 & rising &unknown; &lt;b&gt;<br/>end<pre>  a\n  b</pre></body></HTML>";
    assert_eq!(
        to_text(html),
        "Dear Dr’s’\n\nWeight\t12 kg\n- one\n- two\nBP < 120 & rising &unknown; <b>\nend\n  a\n  b"
    );
}

#[test]
fn what_is_left_open_does_not_swallow_the_letter() {
    assert_eq!(to_text("<p class=\"open>words</p> more"), "words\n\nmore");
    assert_eq!(to_text("before<script>never closed"), "before");
    assert_eq!(to_text("a<"), "a<");
    assert_eq!(to_text("&#0;&#1;&#xD800;x"), "&#xD800;x");
}

#[test]
fn html_is_told_from_words() {
    for html in ["<html>", " \n<!DOCTYPE html>", "<p>Dear", "<!-- x -->"] {
        assert!(is_html(html), "{html}");
    }
    for words in ["Dear <b>", "< 120", "", "%PDF-1.7"] {
        assert!(!is_html(words), "{words}");
    }
}

proptest! {
    #[test]
    fn no_text_makes_it_panic_or_give_control_characters(html in "[\\PC<>&;#x/!\"'= \r\n\t\u{1}-]{0,200}") {
        let text = to_text(&html);
        prop_assert!(text.chars().all(|c| !c.is_control() || c == '\n' || c == '\t'));
    }
}

#[test]
fn a_letter_of_signs_alone_takes_no_longer_than_words() {
    for sign in ["&", "<", "<!", "<a ", "<a x='", "&#", "</"] {
        assert!(to_text(&sign.repeat(300_000)).len() <= 1_800_000, "{sign}");
    }
}
