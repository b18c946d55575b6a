use axum::http::HeaderMap;

use super::range;

fn asked(text: &str, condition: Option<&str>) -> Result<Option<std::ops::Range<u64>>, u16> {
    let mut headers = HeaderMap::new();
    headers.insert("range", text.parse().unwrap());
    if let Some(condition) = condition {
        headers.insert("if-range", condition.parse().unwrap());
    }
    range(&headers, 100, "\"tag\"").map_err(|problem| problem.kind().status())
}

#[test]
fn one_range_is_answered_as_rfc_9110_says() {
    let cases = [
        ("bytes=0-0", Ok(Some(0..1))),
        ("bytes=10-19", Ok(Some(10..20))),
        ("bytes=10-", Ok(Some(10..100))),
        ("bytes=-10", Ok(Some(90..100))),
        ("bytes=-1000", Ok(Some(0..100))),
        ("bytes=90-1000", Ok(Some(90..100))),
        // Nothing is there.
        ("bytes=100-", Err(416)),
        ("bytes=100-200", Err(416)),
        ("bytes=-0", Err(416)),
        // Not one range that can be read: the whole is sent.
        ("bytes=5-4", Ok(None)),
        ("bytes=-", Ok(None)),
        ("bytes=a-b", Ok(None)),
        ("bytes=0-1,4-5", Ok(None)),
        ("lines=0-1", Ok(None)),
        ("bytes=99999999999999999999-", Ok(None)),
    ];
    for (text, expected) in cases {
        assert_eq!(asked(text, None), expected, "{text}");
    }
}

#[test]
fn a_range_of_another_version_is_not_given() {
    assert_eq!(asked("bytes=0-0", Some("\"tag\"")), Ok(Some(0..1)));
    assert_eq!(asked("bytes=0-0", Some("\"other\"")), Ok(None));
    assert_eq!(asked("bytes=0-0", Some("W/\"tag\"")), Ok(None));
}
