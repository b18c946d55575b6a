use std::fs::OpenOptions;
use std::io;
use std::path::Path;
use std::time::{Duration, Instant};

use super::{Folder, Open, SinkFault, lines, open};

const PATIENCE: Duration = Duration::from_millis(200);

fn folder(path: &Path) -> Folder {
    let (sink, path) = ("archive".to_owned(), path.to_owned());
    Folder { sink, path, file_bytes: 1_000, open: None, busy: None }
}

fn look(folder: &Folder) -> impl FnOnce() -> io::Result<Open> + Send + 'static {
    let path = folder.path.clone();
    move || open(&path)
}

#[tokio::test]
async fn a_slow_volume_is_waited_for_and_one_that_hangs_keeps_its_work_until_it_ends() {
    let place = tempfile::TempDir::new().expect("a folder");
    let mut folder = folder(place.path());
    let opened = look(&folder);
    let slow = move || {
        std::thread::sleep(PATIENCE / 4);
        opened()
    };
    assert_eq!(folder.work(PATIENCE, slow).await, Ok(()));
    let held = folder.open.take().expect("an open folder");

    // The volume does not answer until it is told to.
    let (answer, wait) = std::sync::mpsc::channel::<()>();
    let hanging = move || {
        wait.recv().expect("it answers");
        Ok(held)
    };
    let since = Instant::now();
    assert_eq!(folder.work(PATIENCE, hanging).await, Err(SinkFault::Hangs));
    assert!(since.elapsed() < PATIENCE * 5, "whoever asked goes on");
    let never = || unreachable!("nothing more is begun on a volume that hangs");
    assert_eq!(folder.work(PATIENCE, never).await, Err(SinkFault::Hangs));
    answer.send(()).expect("somebody waits");
    let never = || unreachable!("what it ended with is looked at first");
    assert_eq!(folder.work(PATIENCE, never).await, Err(SinkFault::Unwritable));
    assert!(folder.open.is_none(), "what it ended with is not trusted");
    let again = look(&folder);
    assert_eq!(folder.work(PATIENCE, again).await, Ok(()), "and the lock is free");
}

#[tokio::test]
async fn another_process_in_the_folder_and_a_device_in_it_are_told_apart() {
    let place = tempfile::TempDir::new().expect("a folder");
    let (mut folder, held) = (folder(place.path()), open(place.path()).expect("an open folder"));
    let second = look(&folder);
    assert_eq!(folder.work(PATIENCE, second).await, Err(SinkFault::Taken));
    drop(held);
    std::os::unix::fs::symlink("/dev/null", place.path().join(lines::name(0, 0))).expect("a link");
    let third = look(&folder);
    assert_eq!(folder.work(PATIENCE, third).await, Err(SinkFault::Unwritable));
}

#[test]
fn files_after_a_restore_come_after_all_others() {
    let names = [lines::name(0, 7), lines::name(0, u64::MAX), lines::name(1, 3), lines::name(2, 0)];
    assert!(names.is_sorted(), "{names:?}");
    assert_eq!(names.each_ref().map(|name| lines::restores_before(name)), [0, 0, 1, 2]);
}

#[test]
fn the_last_line_is_found_behind_half_a_line_a_mark_and_an_empty_file() {
    let place = tempfile::TempDir::new().expect("a folder");
    let write = |name: String, text: &str| {
        std::fs::write(place.path().join(name), text).expect("written");
    };
    assert_eq!(lines::last_of(&place.path().join("none")).expect("no folder"), None);
    assert_eq!(lines::last_of(place.path()).expect("no file"), None);
    let line = |seq: u64| {
        format!(
            "{{\"log\":\"a/b\",\"seq\":{seq},\"leaf_hash\":\"0{seq}\",\"entry\":{{\"at_us\":1}}}}\n"
        )
    };
    write(lines::name(0, 4), &format!("{}{}{{\"log\":\"a", line(4), line(5)));
    write(lines::name(1, 5), "{\"log\":\"a/b\",\"restored\":true,\"goes_on_with\":5}\n");
    write(lines::name(1, 6), "");
    let last = lines::last_of(place.path()).expect("lines").expect("a line");
    assert_eq!((last.log.as_str(), last.seq, last.leaf_hash.as_str()), ("a/b", 5, "05"));
    assert_eq!(last.at().map(jiff::Timestamp::as_microsecond), Some(1));
    let entries = lines::entries(&place.path().join(lines::name(0, 4))).expect("entries");
    assert_eq!(entries, [(4, "04".to_owned()), (5, "05".to_owned())]);
    // Nobody holds the folder for having looked.
    let mut options = OpenOptions::new();
    assert!(options.read(true).open(place.path().join(".lock")).is_err());
}
