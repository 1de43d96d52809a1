//! fio's job files: sections of options, `[global]` for all that follow it.

use super::options::{Options, Taken};

/// What a job file asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JobFile {
    /// In the order of the file; at least one.
    pub jobs: Vec<Options>,
    /// Options that change nothing here, a sentence each.
    pub ignored: Vec<String>,
}

/// What is wrong with a job file, and in which line.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum JobFileError {
    /// A line.
    #[error("line {line}: {what}")]
    Line {
        /// From 1.
        line: usize,
        /// In one sentence.
        what: String,
    },
    /// There is nothing to do.
    #[error("it holds no job; write a section, as in [reads], and its options below")]
    Empty,
}

/// The jobs of a text.
///
/// # Errors
/// The first line that makes no sense, or that there is no job.
pub fn parse(text: &str) -> Result<JobFile, JobFileError> {
    let mut global = Options::default();
    let mut jobs: Vec<Options> = Vec::new();
    let mut ignored = Vec::new();
    let mut section = Section::None;
    for (line, text) in (1..).zip(text.lines()) {
        let wrong = |what: String| JobFileError::Line { line, what };
        let text = without_comment(text);
        if text.is_empty() {
            continue;
        }
        if let Some(rest) = text.strip_prefix('[') {
            let name = rest.strip_suffix(']').map(str::trim).filter(|name| !name.is_empty());
            let name =
                name.ok_or_else(|| wrong(format!("'{text}' is no section; write [name]")))?;
            section = if name == "global" { Section::Global } else { Section::Job };
            if section == Section::Job {
                jobs.push(Options { name: name.to_owned(), ..global.clone() });
            }
            continue;
        }
        let options = match (section, jobs.last_mut()) {
            (Section::Global, _) => &mut global,
            (Section::Job, Some(job)) => job,
            _ => {
                let what = format!("'{text}' stands before the first section; write [name] above");
                return Err(wrong(what));
            }
        };
        let (key, value) = match text.split_once('=') {
            Some((key, value)) => (key.trim(), Some(value.trim())),
            None => (text, None),
        };
        match options.set(key, value).map_err(wrong)? {
            Taken::Yes => {}
            Taken::Ignored(why) => ignored.push(format!("line {line}: {key} is ignored: {why}")),
        }
    }
    if jobs.is_empty() { Err(JobFileError::Empty) } else { Ok(JobFile { jobs, ignored }) }
}

/// A comment begins with the line, or behind a space.
fn without_comment(line: &str) -> &str {
    let line = line.trim();
    if line.starts_with([';', '#']) {
        return "";
    }
    let end = [" ;", " #"].iter().filter_map(|begin| line.find(begin)).min();
    line[..end.unwrap_or(line.len())].trim_end()
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Section {
    None,
    Global,
    Job,
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use bench_core::units::ByteSize;
    use bench_storage::files::cell::{Engine, Pattern};
    use proptest::prelude::*;

    use super::super::options::Direction;
    use super::*;

    const TYPICAL: &str = "\
; as fio's own examples are written
[global]
ioengine=io_uring
direct = 1
size=64m
runtime=30
ramp_time=2s
time_based
thread

[random reads]
rw=randread
bs=4k
iodepth=16
# two at once
numjobs=2

[writes]
stonewall
readwrite=write
blocksize=1M
fsync=8
";

    #[test]
    fn a_typical_file_is_read_as_fio_does() {
        let file = parse(TYPICAL).expect("sound");
        assert_eq!(file.ignored, ["line 9: thread is ignored: jobs are threads"]);
        let [reads, writes] = &file.jobs[..] else { panic!("two jobs") };
        assert_eq!((reads.name.as_str(), reads.rw().as_str()), ("random reads", "randread"));
        assert_eq!((reads.depth, reads.lanes, reads.block), (16, 2, ByteSize::kib(4)));
        assert_eq!((writes.depth, writes.lanes, writes.block), (1, 1, ByteSize::mib(1)));
        assert!(writes.stonewall && !reads.stonewall && writes.sync_every == 8);
        for job in [reads, writes] {
            assert_eq!((job.engine, job.direct, job.time_based), (Engine::IoUring, true, true));
            assert_eq!(job.runtime, Some(Duration::from_secs(30)));
            assert_eq!(job.ramp, Duration::from_secs(2));
            assert_eq!(job.size, ByteSize::mib(64));
        }
    }

    #[test]
    fn comments_end_values_where_fio_ends_them() {
        let text = "[a] ; a section\nfilename=x#1;2 ; no name\nbs=8k # = two pages ; or so\n\
                    thread ;=1\n";
        let job = &parse(text).expect("sound").jobs[0];
        assert_eq!(job.filename.as_deref(), Some("x#1;2".as_ref()), "no space, no comment");
        assert_eq!((job.name.as_str(), job.block), ("a", ByteSize::kib(8)));
    }

    #[test]
    fn what_makes_no_sense_is_told_with_its_line() {
        for (text, told) in [
            ("[a]\nrw=read\n\nzonemode=zbd\n", "line 4: the option 'zonemode' is not known here"),
            ("bs=4k\n[a]", "line 1: 'bs=4k' stands before the first section"),
            ("[a\nrw=read", "line 1: '[a' is no section"),
            ("[]", "line 1: '[]' is no section"),
            ("[a]\nbs=4KiB", "line 2: '4KiB' is 1000 times less or more"),
            ("[a]\nrw", "line 2: '1' is no pattern"),
            ("[a]\nrandrepeat=0", "line 2: randrepeat=0 is not to be had"),
            ("", "it holds no job"),
            ("[global]\nrw=read", "it holds no job"),
        ] {
            let error = parse(text).expect_err(text).to_string();
            assert!(error.starts_with(told), "{error}");
        }
    }

    fn job() -> impl Strategy<Value = Options> {
        let directions = [Direction::Read, Direction::Write, Direction::Mixed];
        let what = (
            proptest::sample::select(directions.to_vec()),
            proptest::sample::select(Pattern::ALL.to_vec()),
            proptest::sample::select(Engine::ALL.to_vec()),
            0..=100_u8,
        );
        let sizes = (1..1_u64 << 40, 1..1_u64 << 50, 1..=256_u32, 1..=256_u32);
        let times = (proptest::option::of(1..1_u64 << 40), 0..1_u64 << 40);
        let more = (1..9_u32, 0..9_u32, times, any::<[bool; 7]>());
        ("[a-z][a-z0-9 ]{0,9}[a-z]", what, sizes, more).prop_map(|(name, what, sizes, more)| {
            let (direction, pattern, engine, read_percent) = what;
            let (block, size, depth, lanes) = sizes;
            let (loops, sync_every, (runtime, ramp), on) = more;
            Options {
                name,
                direction,
                pattern,
                engine,
                // Only a mix says it.
                read_percent: if direction == Direction::Mixed { read_percent } else { 50 },
                block: ByteSize::new(block),
                size: ByteSize::new(size),
                depth,
                lanes,
                loops,
                sync_every,
                sync_data: on[2] && sync_every > 0,
                runtime: runtime.map(Duration::from_micros),
                ramp: Duration::from_micros(ramp),
                time_based: on[0],
                direct: on[1],
                invalidate: on[2],
                sync_at_end: on[3],
                overwrite: on[4],
                group_reporting: on[5],
                stonewall: on[6],
                filename: on[0].then(|| "some/file".into()),
                directory: on[1].then(|| "/some/where".into()),
            }
        })
    }

    proptest! {
        #[test]
        fn jobs_parse_what_they_print(
            jobs in proptest::collection::vec(job().prop_filter("a section of its own", |job| job.name != "global"), 1..4)
        ) {
            let mut text = String::new();
            for job in &jobs {
                text += &format!("[{}]\n", job.name);
                for (key, value) in job.pairs() {
                    text += &format!(" {key} = {value} \n\n;{key}\n");
                }
            }
            prop_assert_eq!(parse(&text).map(|file| file.jobs), Ok(jobs));
        }

        #[test]
        fn no_text_makes_the_parser_panic(
            text in "(\\[?[a-z_ ]{0,9}\\]?=?[0-9a-zA-Z.%]{0,6}\n){0,9}|.*"
        ) {
            let _ = parse(&text);
        }

        #[test]
        fn an_unknown_key_is_found_in_its_line(before in 0..20_usize, key in "x[a-z]{3,9}") {
            let text = format!("[a]\n{}{key}=1\nbs=4k\n", "bs=4k\n".repeat(before));
            let error = parse(&text).expect_err("unknown").to_string();
            let told = format!("line {}: the option '{key}'", before + 2);
            prop_assert!(error.starts_with(&told), "{}", error);
        }
    }
}
