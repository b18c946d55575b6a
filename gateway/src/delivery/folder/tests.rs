use std::os::unix::fs::PermissionsExt;

use schemas::{OrganisationCode, PersonalBytes};

use super::*;
use crate::delivery::Document;

fn parcel(number: u128, body: &str, documents: &[&str]) -> Parcel {
    let document = |(index, content): (usize, &&str)| Document {
        name: adapters::document_file_name(index, "application/pdf"),
        media_type: "application/pdf".to_owned(),
        content: DocumentContent::Inside(PersonalBytes::new(content.as_bytes().to_vec())),
    };
    Parcel {
        delivery: DeliveryId(Uuid::from_u128(number)),
        recipient: OrganisationCode::parse("334").expect("a code"),
        kind: schemas::MessageType::AdviceResponse,
        format: Some(Format::Csv),
        media_type: Format::Csv.media_type().to_owned(),
        file_name: None,
        body: PersonalBytes::new(body.as_bytes().to_vec()),
        documents: Some(documents.iter().enumerate().map(document).collect()),
    }
}

fn drop_it(folder: &Path, parcel: Parcel, attempt: u128) -> Result<(), SendError> {
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    match begin_in(folder, parcel, Uuid::from_u128(attempt))? {
        Some(staged) => runtime.block_on(staged.put_in_place()),
        None => Ok(()),
    }
}

fn everything_in(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).expect("a folder");
    let mut names: Vec<String> = entries
        .map(|entry| entry.expect("an entry").file_name().to_string_lossy().into())
        .collect();
    names.sort();
    names
}

#[test]
fn a_delivery_appears_whole_with_its_documents_and_a_manifest() {
    let folder = tempfile::tempdir().expect("a folder");
    drop_it(folder.path(), parcel(7, "a,b\r\n", &["%PDF one", "%PDF two"]), 1).expect("written");
    let found = arrived(folder.path()).expect("a folder");
    let [(place, manifest)] = found.as_slice() else { panic!("{found:?}") };
    let expected = ["document-1.pdf", "document-2.pdf", "import.csv", "manifest.json"];
    assert_eq!(everything_in(place), expected);
    assert!(is_whole(place, manifest));
    assert_eq!((manifest.records, manifest.documents), (1, 2));
    assert_eq!(manifest.message_type, "advice.response");
    assert_eq!(std::fs::read(place.join("import.csv")).expect("there"), b"a,b\r\n");
    assert!(everything_in(&folder.path().join(STAGING)).is_empty());
    std::fs::write(place.join("document-2.pdf"), "changed").expect("written");
    assert!(!is_whole(place, manifest), "a changed document is noticed");
}

#[test]
fn a_second_attempt_for_what_lies_there_is_taken_and_changes_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    drop_it(folder.path(), parcel(7, "written on Monday", &["%PDF"]), 1).expect("written");
    drop_it(folder.path(), parcel(7, "written on Tuesday", &["%PDF"]), 2).expect("taken");
    let place = folder.path().join(Uuid::from_u128(7).to_string());
    assert_eq!(std::fs::read(place.join("import.csv")).expect("there"), b"written on Monday");
    let other = drop_it(folder.path(), parcel(7, "x", &["%PDF other"]), 3);
    assert!(matches!(other, Err(SendError::Transient(_))), "{other:?}");
    drop_it(folder.path(), parcel(8, "x", &[]), 4).expect("another delivery");
    assert_eq!(arrived(folder.path()).expect("a folder").len(), 2);
}

#[test]
fn a_missing_or_closed_folder_defers_and_nothing_is_left_behind() {
    let folder = tempfile::tempdir().expect("a folder");
    let missing = folder.path().join("not-mounted");
    let answer = drop_it(&missing, parcel(7, "x", &[]), 1);
    assert_eq!(answer, Err(SendError::Transient("the folder is not there".to_owned())));
    assert!(!missing.exists(), "a share that is not mounted is not made");

    // Something that is not a folder where staging should be: refused for root as for others.
    std::fs::write(folder.path().join(STAGING), "").expect("written");
    let answer = drop_it(folder.path(), parcel(7, "x", &["%PDF"]), 1);
    assert!(matches!(answer, Err(SendError::Transient(_))), "{answer:?}");
    assert_eq!(everything_in(folder.path()), [STAGING]);
    std::fs::remove_file(folder.path().join(STAGING)).expect("removed");
    drop_it(folder.path(), parcel(7, "x", &["%PDF"]), 2).expect("it recovers");
}

#[test]
fn what_a_killed_attempt_left_is_swept_and_never_appears() {
    let folder = tempfile::tempdir().expect("a folder");
    let staging = folder.path().join(STAGING);
    let half = staging.join(format!("{}.x", Uuid::from_u128(8)));
    std::fs::create_dir_all(&half).expect("made");
    std::fs::write(half.join("import.csv"), "half").expect("written");
    let attempt = begin_in(folder.path(), parcel(7, "whole", &[]), Uuid::from_u128(1));
    let attempt = attempt.expect("begun").expect("not there yet");
    sweep(folder.path()).expect("swept");
    assert!(everything_in(&staging).is_empty());
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    let answer = runtime.block_on(attempt.put_in_place());
    assert!(matches!(answer, Err(SendError::Transient(_))), "swept under its feet: {answer:?}");
    assert!(arrived(folder.path()).expect("a folder").is_empty());
    drop_it(folder.path(), parcel(7, "whole", &[]), 2).expect("written");
    assert_eq!(arrived(folder.path()).expect("a folder").len(), 1);
}

#[test]
fn an_attempt_that_ends_early_leaves_nothing_behind() {
    let folder = tempfile::tempdir().expect("a folder");
    let attempt = begin_in(folder.path(), parcel(7, "x", &["%PDF"]), Uuid::from_u128(1));
    drop(attempt.expect("begun"));
    assert!(everything_in(&folder.path().join(STAGING)).is_empty());
}

#[test]
fn what_is_written_is_for_the_owner_and_the_folders_group_alone() {
    let folder = tempfile::tempdir().expect("a folder");
    for (open, file) in [(0o777, 0o660), (0o750, 0o640), (0o700, 0o600)] {
        let mode = std::fs::Permissions::from_mode(open);
        std::fs::set_permissions(folder.path(), mode).expect("set");
        drop_it(folder.path(), parcel(u128::from(open), "x", &[]), 1).expect("written");
        let place = folder.path().join(Uuid::from_u128(open.into()).to_string());
        let import = std::fs::metadata(place.join("import.csv")).expect("there");
        assert_eq!(import.permissions().mode() & 0o777, file, "{open:o}");
        let place = std::fs::metadata(&place).expect("there");
        assert_eq!(place.permissions().mode() & 0o777, open & 0o770, "{open:o}");
    }
}

#[test]
fn a_link_in_the_place_of_a_folder_is_not_followed() {
    let folder = tempfile::tempdir().expect("a folder");
    let elsewhere = tempfile::tempdir().expect("a folder");
    std::os::unix::fs::symlink(elsewhere.path(), folder.path().join(STAGING)).expect("linked");
    let answer = drop_it(folder.path(), parcel(7, "x", &["%PDF"]), 1);
    assert!(matches!(answer, Err(SendError::Transient(_))), "{answer:?}");
    assert!(everything_in(elsewhere.path()).is_empty());
}

#[test]
fn a_parcel_for_another_carrier_is_not_written_without_its_documents() {
    let folder = tempfile::tempdir().expect("a folder");
    let parcel = Parcel { documents: None, ..parcel(7, "x", &[]) };
    assert!(matches!(drop_it(folder.path(), parcel, 1), Err(SendError::Transient(_))));
    assert!(everything_in(folder.path()).is_empty());
}
