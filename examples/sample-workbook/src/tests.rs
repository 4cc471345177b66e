use super::*;

#[test]
fn sample_is_the_same_every_time() {
    let folder = tempfile::tempdir().unwrap();
    let (one, other) = (folder.path().join("one.xlsx"), folder.path().join("other.xlsx"));
    write_sample(&one).unwrap();
    write_sample(&other).unwrap();
    assert!(std::fs::read(one).unwrap() == std::fs::read(other).unwrap());
}
