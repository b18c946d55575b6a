use super::*;

#[test]
fn every_reader_and_writer_is_measured_on_input_it_takes() {
    let subjects = subjects(3).expect("subjects");
    // Each format is read and written; Kettering and CDA letters are read only.
    assert_eq!(subjects.len(), 2 * FORMATS.len() + 2);
    for subject in subjects {
        (subject.pass)().expect(subject.name);
        let bare = subject.bare.as_ref();
        assert_eq!(bare.is_none(), subject.name == "hl7", "{}", subject.name);
        if let Some((library, pass)) = bare {
            pass().expect(library);
        }
        assert!(subject.bytes > 0 && subject.items > 0, "{}", subject.name);
        let figure = Figure { subject, passes: 2.0, bare: Some(4.0) };
        assert_eq!(figure.cells().len(), HEADER.len());
        assert_eq!(figure.cells()[8], if figure.bare.is_some() { "0.50" } else { "-" });
    }
}
