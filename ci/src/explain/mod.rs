//! Where a difference between two sides of one id came from, in the order it is found out:
//!
//! - [`symbols`], [`names`]: which functions lie at an address, and what people call them.
//! - [`profile`]: what callgrind wrote, with those names.
//! - [`functions`]: whose own instructions changed.
//! - [`heap`]: which call sites allocate more or less.
//! - [`stacks`], [`flame`]: the same as call stacks, drawn.
//! - [`tables`]: terminal, Markdown, page.
//!
//! An explanation is no verdict: it says where instructions went, not why, nor that they are slow.

pub(crate) mod flame;
pub(crate) mod functions;
pub(crate) mod heap;
pub(crate) mod names;
pub(crate) mod profile;
pub(crate) mod stacks;
pub(crate) mod symbols;
pub(crate) mod tables;

use std::path::{Path, PathBuf};

use functions::Change;
use profile::Profile;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use stacks::Node;
use symbols::Symbols;

use crate::bench::count::Counted;
use crate::bench::dhat;
use crate::render::verdicts::Site;
use crate::render::{COMMENT_ROWS_MAX, disk};

/// Where the difference of one id came from.
#[derive(Clone, Debug)]
pub(crate) struct Explanation {
    pub(crate) id: String,
    /// Every function whose own instructions changed, the largest change first.
    pub(crate) functions: Vec<Change>,
    /// Every site whose allocations changed; none where they were not counted.
    pub(crate) allocations: Vec<Site>,
    /// Both sides' call stacks.
    pub(crate) stacks: Node,
}

/// Explains ids of two sides, and remembers the debug information of their executables.
#[derive(Default)]
pub(crate) struct Explainer {
    base: Symbols,
    head: Symbols,
}

impl Explainer {
    /// Where the difference of two counts of one id came from. `roots` are cut off the front of
    /// file names. The executables must be where they were counted.
    ///
    /// # Errors
    /// When a profile can't be read or is not what its tool writes.
    pub(crate) fn explain(
        &mut self,
        base: &Counted,
        head: &Counted,
        roots: &[&Path],
    ) -> anyhow::Result<Explanation> {
        let before = Profile::read(&base.callgrind, &mut self.base)?;
        let after = Profile::read(&head.callgrind, &mut self.head)?;
        let allocations = if base.dhat.is_empty() || head.dhat.is_empty() {
            Vec::new()
        } else {
            let (old, new) = (dhat::read(&base.dhat)?, dhat::read(&head.dhat)?);
            heap::changes((&old, &mut self.base), (&new, &mut self.head), roots)
        };
        Ok(Explanation {
            id: head.id().to_owned(),
            functions: functions::changes(&before, &after, roots),
            allocations,
            stacks: stacks::stacks(&before, &after),
        })
    }
}

impl Explanation {
    /// For scripts.
    pub(crate) fn json(&self) -> Value {
        let functions: Vec<&Change> = self.functions.iter().take(COMMENT_ROWS_MAX).collect();
        json!({
            "id": self.id,
            "functions": functions,
            "functions_changed": self.functions.len(),
            "allocations": self.allocations,
        })
    }

    /// Writes the flamegraph into a folder, which must be there, and says where it is.
    ///
    /// # Errors
    /// When the disk does not take it.
    pub(crate) fn write_flamegraph(&self, folder: &Path) -> anyhow::Result<PathBuf> {
        let path = folder.join(format!("{}.svg", file_name(&self.id)));
        disk::write(&path, flame::draw(&self.id, &self.stacks).as_bytes())?;
        Ok(path)
    }
}

/// File systems take 255 bytes, an ending and a temporary's name among them.
const FILE_NAME_MAX: usize = 200;

/// An id as the name of a file. Where something had to be replaced, part of the id's SHA-256 tells
/// it from other ids that would be called the same.
pub(crate) fn file_name(id: &str) -> String {
    let safe = |c: char| if c.is_alphanumeric() || "-_.".contains(c) { c } else { '_' };
    let mut name = id.chars().map(safe).collect::<String>().trim_start_matches('.').to_owned();
    if name == id && name.len() <= FILE_NAME_MAX {
        return name;
    }
    let hash: String = Sha256::digest(id)[..4].iter().map(|byte| format!("{byte:02x}")).collect();
    name.truncate(name.floor_char_boundary(FILE_NAME_MAX - 1 - hash.len()));
    format!("{name}-{hash}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_a_file_name_in_the_folder_whatever_it_holds() {
        assert_eq!(file_name("plain"), "plain");
        assert!(file_name("payload/fill/4KiB").starts_with("payload_fill_4KiB-"));
        assert!(file_name("../../etc/<passwd>").starts_with("_.._etc__passwd_-"));
    }

    #[test]
    fn two_ids_never_share_a_file_and_none_is_too_long_for_a_disk() {
        assert_ne!(file_name("a/b_c"), file_name("a_b/c"));
        let long = |last: &str| file_name(&("ä".repeat(400) + last));
        assert!(long("1").len() <= FILE_NAME_MAX, "{}", long("1").len());
        assert_ne!(long("1"), long("2"));
    }
}
