use std::path::Path;

use tempfile::TempDir;
use uuid::Uuid;

use super::{Scratch, Swept, Work, sweep};
use crate::whole_file::Staged;

fn swept(folder: &Path) -> (u64, u64) {
    let Swept { removed, left } = sweep([folder]);
    (removed, left)
}

#[test]
fn what_nobody_works_on_is_swept_and_nothing_else() {
    let folder = TempDir::new().unwrap();
    let folder = folder.path();
    let (first, second, id) = (Uuid::from_u128(1), Uuid::from_u128(2), Uuid::from_u128(3));
    let scratch = Scratch::make(folder, Work::Proof, first).unwrap();
    std::fs::write(scratch.path().join("gateway.db"), "rows").unwrap();
    let inner = Scratch::make(scratch.path(), Work::Drill, second).unwrap();
    let to = folder.join("night.ehcbackup");
    let (staged, file) = Staged::begin(&to, &super::staged_name(id)).unwrap();
    assert_eq!(swept(folder), (0, 0), "all of it is worked on");

    // As a killed process leaves it: there, and held by nobody.
    let dead =
        [format!(".backup-{}", Uuid::from_u128(4)), format!(".drill-{}", Uuid::from_u128(5))];
    for name in &dead {
        std::fs::create_dir(folder.join(name)).unwrap();
        std::fs::write(folder.join(name).join("gateway.db"), "rows").unwrap();
    }
    let cut = folder.join(format!(".backup-{}.partial", Uuid::from_u128(6)));
    std::fs::write(&cut, "half").unwrap();
    let others = [".backup-mine", ".backup-", "backup-00000000-0000-0000-0000-000000000001"];
    for name in others {
        std::fs::write(folder.join(name), "somebody's").unwrap();
    }
    let elsewhere = TempDir::new().unwrap();
    std::fs::write(elsewhere.path().join("file"), "somebody's").unwrap();
    let link = folder.join(format!(".backup-{}", Uuid::from_u128(7)));
    std::os::unix::fs::symlink(elsewhere.path(), &link).unwrap();
    assert_eq!(swept(folder), (3, 0));
    assert!(dead.iter().all(|name| !folder.join(name).exists()) && !cut.exists());
    assert!(others.iter().all(|name| folder.join(name).exists()));
    assert!(elsewhere.path().join("file").exists(), "a link leads nowhere");
    assert!(scratch.path().join("gateway.db").exists() && inner.path().exists());

    drop(file);
    assert_eq!(swept(folder), (0, 0), "it is written, and not in its place yet");
    staged.put().unwrap();
    assert!(to.exists());
    let path = scratch.path().to_owned();
    drop((inner, scratch));
    assert!(!path.exists());
    assert_eq!(swept(&folder.join("nowhere")), (0, 0));
}
