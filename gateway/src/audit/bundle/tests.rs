use super::*;

fn rows() -> Vec<Row> {
    let row = |seq: u8| Row { seq: u64::from(seq), leaf: vec![seq; 40], nodes: vec![seq; 64] };
    (0..5).map(row).collect()
}

#[test]
fn what_was_written_is_read_again() {
    let mut file = Vec::new();
    for row in rows() {
        write_row(&mut file, &row).unwrap();
    }
    write_checkpoint(&mut file, "o\n1\nroot\n").unwrap();
    let bundle = read(&mut file.as_slice()).unwrap();
    assert_eq!(bundle, Bundle { rows: rows(), checkpoints: vec!["o\n1\nroot\n".to_owned()] });
}

#[test]
fn a_line_that_is_not_ours_is_named_by_its_number() {
    let mut file = Vec::new();
    write_row(&mut file, &rows()[0]).unwrap();
    let bad = [
        "{}\n".to_owned(),
        "\n".to_owned(),
        "{\"seq\":1,\"leaf\":\"!\",\"nodes\":\"\"}\n".to_owned(),
        "{\"checkpoint\":\"cut".to_owned(),
        format!("{{\"checkpoint\":\"{}\"}}\n", "x".repeat(2 * 1024 * 1024)),
    ];
    for line in bad {
        let file = [file.as_slice(), line.as_bytes()].concat();
        assert!(matches!(read(&mut file.as_slice()), Err(BundleError::Line(2))));
    }
}
