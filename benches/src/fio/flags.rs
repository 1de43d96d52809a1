//! The command line of the scenario: fio's flags, and where reports go.

use std::fs;
use std::path::PathBuf;

use clap::{Parser, ValueEnum};

use super::file::parse;
use super::options::{Options, Taken};

/// Reads and writes files as fio does, from a page cache whose state is known.
///
/// Exit codes: 0 fine, 1 a job broke, 2 usage, 4 interrupted, or this machine lacks what a job, or
/// --peers, needs.
#[derive(Clone, Debug, Parser)]
#[command(name = "scenario_files", help_expected = true)]
pub struct Flags {
    /// What to do: read, write, rw, randread, randwrite or randrw [default: read]
    ///
    /// Random blocks are drawn uniformly and repeat, as with fio's norandommap.
    #[arg(long, value_name = "PATTERN", alias = "readwrite")]
    rw: Option<String>,
    /// How many of a hundred operations are reads, where both are mixed [default: 50]
    #[arg(long, value_name = "PERCENT")]
    rwmixread: Option<String>,
    /// What one operation moves, as in 64k [default: 4k]
    #[arg(long, value_name = "SIZE", alias = "blocksize")]
    bs: Option<String>,
    /// Operations under way at once, by io_uring or tokio; others have one [default: 1]
    #[arg(long, value_name = "N")]
    iodepth: Option<String>,
    /// Threads that do the same, each pinned and on a file of its own [default: 1]
    #[arg(long, value_name = "N")]
    numjobs: Option<String>,
    /// Each file, and what a thread moves, as in 1g [default: 256m]
    #[arg(long, value_name = "SIZE")]
    size: Option<String>,
    /// How often a thread does all of it [default: 1]
    #[arg(long, value_name = "N")]
    loops: Option<String>,
    /// End after this time at the latest, as in 30s
    #[arg(long, value_name = "TIME")]
    runtime: Option<String>,
    /// Work for this time before anything counts, and before runtime begins, as in 2s
    #[arg(long = "ramp_time", value_name = "TIME")]
    ramp_time: Option<String>,
    /// Do not end before that time either
    #[arg(long = "time_based", value_name = "0|1", num_args = 0..=1, default_missing_value = "1")]
    time_based: Option<String>,
    /// Go past the page cache (O_DIRECT)
    #[arg(long, value_name = "0|1", num_args = 0..=1, default_missing_value = "1")]
    direct: Option<String>,
    /// By which interface: psync (or pread), mmap, io_uring or tokio [default: psync]
    #[arg(long, value_name = "ENGINE")]
    ioengine: Option<String>,
    /// Sync after every so many writes; 0 never does [default: 0]
    #[arg(long, value_name = "N")]
    fsync: Option<String>,
    /// As fsync, of the content and what it takes to find it alone [default: 0]
    #[arg(long, value_name = "N")]
    fdatasync: Option<String>,
    /// Sync after the last write, inside the time
    #[arg(long = "end_fsync", value_name = "0|1", num_args = 0..=1, default_missing_value = "1")]
    end_fsync: Option<String>,
    /// Begin with an empty page cache; 0 begins with the files in memory [default: 1]
    #[arg(long, value_name = "0|1")]
    invalidate: Option<String>,
    /// One file for all threads; made and removed here unless it is there already
    #[arg(long, value_name = "FILE")]
    filename: Option<String>,
    /// Where files are made [default: the scratch directory]
    #[arg(long, value_name = "DIRECTORY")]
    directory: Option<String>,
    /// Write over a file that is there already
    #[arg(long, value_name = "0|1", num_args = 0..=1, default_missing_value = "1")]
    overwrite: Option<String>,
    /// Report the threads of a job as one in fio's JSON
    #[arg(long = "group_reporting", value_name = "0|1", num_args = 0..=1, default_missing_value = "1")]
    group_reporting: Option<String>,
    /// What the job is called, in its id and in fio's JSON
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// A job file of fio; its jobs in place of one made of flags
    #[arg(long, value_name = "FILE", value_hint = clap::ValueHint::FilePath)]
    jobfile: Option<PathBuf>,
    /// Write the record to this file; `cargo perf report FILE` reads it
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Write a report to this file as fio's JSON; `cargo perf history import` reads it
    #[arg(long, value_name = "FILE")]
    output_json: Option<PathBuf>,
    /// What to print: a summary (normal), or fio's JSON
    #[arg(long, value_name = "FORMAT", default_value = "normal")]
    output_format: Format,
    /// Measure against fio itself, in turns on the same file; flags say which cells
    ///
    /// Where fio is not installed it says so, measures ours alone, and ends with 4.
    #[cfg(feature = "peers")]
    #[arg(long, conflicts_with_all = ["name", "jobfile", "output_json", "output_format"])]
    pub(super) peers: bool,
}

/// What stands on the standard output.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// Some lines for people.
    Normal,
    /// fio's JSON.
    Json,
}

/// What the flags ask for.
#[derive(Clone, Debug)]
pub struct Session {
    /// In their order; `stonewall` parts them into groups that run together.
    pub jobs: Vec<Options>,
    /// What changes nothing, a sentence each.
    pub ignored: Vec<String>,
    /// Where the record goes.
    pub output: Option<PathBuf>,
    /// Where fio's JSON goes.
    pub output_json: Option<PathBuf>,
    /// What is printed.
    pub format: Format,
}

impl Flags {
    /// fio's flags that were written, by fio's names.
    pub(super) fn written(&self) -> Vec<(&'static str, &str)> {
        let all = [
            ("rw", &self.rw),
            ("rwmixread", &self.rwmixread),
            ("bs", &self.bs),
            ("iodepth", &self.iodepth),
            ("numjobs", &self.numjobs),
            ("size", &self.size),
            ("loops", &self.loops),
            ("runtime", &self.runtime),
            ("ramp_time", &self.ramp_time),
            ("time_based", &self.time_based),
            ("direct", &self.direct),
            ("ioengine", &self.ioengine),
            ("fsync", &self.fsync),
            ("fdatasync", &self.fdatasync),
            ("end_fsync", &self.end_fsync),
            ("invalidate", &self.invalidate),
            ("filename", &self.filename),
            ("directory", &self.directory),
            ("overwrite", &self.overwrite),
            ("group_reporting", &self.group_reporting),
        ];
        let written = all.into_iter().filter_map(|(key, value)| Some((key, value.as_deref()?)));
        written.collect()
    }

    /// Where the record goes.
    #[cfg(feature = "peers")]
    pub(super) fn record(&self) -> Option<&std::path::Path> {
        self.output.as_deref()
    }

    /// What is asked for.
    ///
    /// # Errors
    /// What makes no sense, in one sentence with its place.
    pub fn session(self) -> Result<Session, String> {
        let (jobs, ignored) = match &self.jobfile {
            None => (vec![self.job()?], Vec::new()),
            Some(path) => {
                if let Some((key, _)) = self.written().first() {
                    return Err(format!("--{key} says what --jobfile does; write it in the file"));
                }
                let at = path.display();
                let text = fs::read_to_string(path).map_err(|error| format!("{at}: {error}"))?;
                let file = parse(&text).map_err(|error| format!("{at}: {error}"))?;
                let ignored = file.ignored.iter().map(|line| format!("{at}: {line}"));
                (file.jobs, ignored.collect())
            }
        };
        for job in &jobs {
            job.cell().map_err(|why| format!("{}: {why}", job.label()))?;
        }
        let mut labels: Vec<String> = jobs.iter().map(Options::label).collect();
        labels.sort_unstable();
        if let Some(pair) = labels.windows(2).find(|pair| pair[0] == pair[1]) {
            return Err(format!("two jobs are called {}; name them differently", pair[0]));
        }
        let Self { output, output_json, output_format: format, .. } = self;
        Ok(Session { jobs, ignored, output, output_json, format })
    }

    fn job(&self) -> Result<Options, String> {
        let mut job = Options { name: self.name.clone().unwrap_or_default(), ..Options::default() };
        for (key, value) in self.written() {
            let taken = job.set(key, Some(value)).map_err(|why| format!("--{key}: {why}"))?;
            debug_assert_eq!(taken, Taken::Yes);
        }
        Ok(job)
    }
}

impl Session {
    /// Jobs that run together.
    pub fn groups(&self) -> impl Iterator<Item = &[Options]> {
        // The first waits for nobody, whatever it says.
        self.jobs.chunk_by(|_, next| !next.stonewall)
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    fn session(line: &str) -> Result<Session, String> {
        let words = std::iter::once("scenario_files").chain(line.split_whitespace());
        Flags::try_parse_from(words).map_err(|error| error.to_string())?.session()
    }

    #[test]
    fn the_flags_make_sense_to_clap() {
        Flags::command().debug_assert();
    }

    #[test]
    fn flags_are_written_as_fios_are() {
        for line in [
            "--rw=randrw --rwmixread=70 --bs=64k --iodepth=16 --direct=1 --ioengine=io_uring",
            "--readwrite randrw --rwmixread 70 --blocksize 64k --iodepth 16 --direct --ioengine io_uring",
        ] {
            let job = &session(line).expect(line).jobs[0];
            assert_eq!(job.label(), "randrw/io_uring_direct/bs64KiB/qd16/jobs1/mix70");
            assert_eq!(job.read_percent, 70);
        }
        let named = session("--name=mine --group_reporting").expect("sound");
        assert_eq!((named.jobs[0].label().as_str(), named.jobs[0].group_reporting), ("mine", true));
    }

    #[test]
    fn what_makes_no_sense_is_refused_in_one_sentence() {
        for (line, told) in [
            ("--rw=trim", "--rw: 'trim' is no pattern"),
            ("--bs=64KiB", "--bs: '64KiB' is 1000 times less or more"),
            (
                "--time_based",
                "read/psync/bs4KiB/qd1/jobs1/time_based: time_based goes on until runtime",
            ),
            ("--ioengine=mmap --rw=write", "the engine mmap only reads"),
            ("--jobfile=/nowhere/job.fio", "/nowhere/job.fio: No such file"),
            ("--jobfile=/nowhere/job.fio --bs=4k", "--bs says what --jobfile does"),
        ] {
            let error = session(line).expect_err(line);
            assert!(error.contains(told), "{error}");
        }
    }

    #[test]
    fn a_job_file_takes_the_place_of_flags_and_parts_its_groups() {
        let directory = tempfile::tempdir().expect("create");
        let path = directory.path().join("job.fio");
        let write = |text: &str| {
            fs::write(&path, text).expect("write");
            session(&format!("--jobfile={}", path.display()))
        };
        let read = write("[a]\nthread\n[b]\n[c]\nstonewall\n[d]\n").expect("sound");
        let groups: Vec<Vec<String>> =
            read.groups().map(|group| group.iter().map(Options::label).collect()).collect();
        assert_eq!(groups, [["a", "b"], ["c", "d"]]);
        assert!(read.ignored[0].ends_with("job.fio: line 2: thread is ignored: jobs are threads"));
        let error = write("[a]\nzoned=1").expect_err("unknown");
        assert!(error.contains("job.fio: line 2: the option 'zoned' is not known"), "{error}");
        assert!(write("[a]\n[a]").expect_err("twice").starts_with("two jobs are called a"));
    }
}
