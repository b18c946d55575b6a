//! What the kernel and the user database say.

use super::*;

#[test]
fn a_session_is_a_number_and_not_the_one_for_nobody() {
    assert_eq!(of_session("1000\n"), Some(1000));
    assert_eq!(of_session("0"), Some(0));
    for none in ["4294967295", "4294967296", "-1", "", "maryam"] {
        assert_eq!(of_session(none), None, "{none:?}");
    }
}

#[test]
fn a_user_without_a_name_is_a_number() {
    assert_eq!(name_of(0), "root");
    assert_eq!(name_of(UNSET - 1), "uid:4294967294");
    assert!(of_this_process().is_some());
}
