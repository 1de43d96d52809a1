//! What every read path has to do.

use super::{ReadPath, Remote, Served, Tier};

/// Reads all objects, forwards and again backwards, and holds content and counts against the store's.
///
/// # Panics
/// When the path does not do what it has to.
pub fn check(path: &mut dyn ReadPath, remote: &Remote) {
    let objects = remote.objects();
    let (before, fetched) = (path.served(), remote.fetched());
    let mut seen = Served::default();
    for object in (0..objects.count).chain((0..objects.count).rev()) {
        let (tier, bytes) = path.read(object).expect("a read of an object that is there");
        let content = objects.payload(object).verify_all(&bytes);
        content.unwrap_or_else(|wrong| panic!("object {object} from {}: {wrong}", tier.name()));
        seen.count(tier, bytes.len());
    }
    assert_eq!(path.served().since(before), seen, "the counts are not those of the reads");
    let from_remote = seen.reads[Tier::Remote as usize];
    assert_eq!(remote.fetched() - fetched, from_remote, "the store counted otherwise");
    path.cool().expect("nothing stays in the page cache");
    path.rest();
    path.read(objects.count).expect_err("there is no such object");
    assert_eq!(path.served().since(before), seen, "a failed read was counted");
    assert!(!path.backend().is_empty(), "a record would not say what read");
}
