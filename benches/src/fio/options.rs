//! The options of one job, by fio's names. Flags and job files set them through the same door, so
//! that both mean the same.

use std::path::PathBuf;
use std::time::Duration;

use bench_core::units::ByteSize;
use bench_storage::files::cell::{Engine, Pattern};
use bench_storage::files::job::{JobCell, depth_of};

use super::number::{count, print_size, size, switch, time};

/// One job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// The section of the job file; empty where flags are all there is.
    pub name: String,
    /// `rw`, without its `rand`.
    pub direction: Direction,
    /// In order or not.
    pub pattern: Pattern,
    /// `rwmixread`, for those that do both.
    pub read_percent: u8,
    /// `bs`.
    pub block: ByteSize,
    /// `iodepth`.
    pub depth: u32,
    /// `numjobs`: threads that do the same job.
    pub lanes: u32,
    /// `size`: of each file, and what one pass of a thread moves.
    pub size: ByteSize,
    /// `loops`.
    pub loops: u32,
    /// `runtime`: it ends then at the latest.
    pub runtime: Option<Duration>,
    /// `ramp_time`: how long it works before that, and before anything counts.
    pub ramp: Duration,
    /// `time_based`: and not before.
    pub time_based: bool,
    /// `direct`.
    pub direct: bool,
    /// `ioengine`.
    pub engine: Engine,
    /// `filename`: one file for all threads, in place of one each in a scratch directory.
    pub filename: Option<PathBuf>,
    /// `directory`: where the files lie.
    pub directory: Option<PathBuf>,
    /// `fsync` or `fdatasync`: after every so many writes; 0 does without.
    pub sync_every: u32,
    /// It is `fdatasync`.
    pub sync_data: bool,
    /// `end_fsync`.
    pub sync_at_end: bool,
    /// `invalidate`: begin with an empty page cache, and not with the file in memory.
    pub invalidate: bool,
    /// `overwrite`: a file that was there already may be written over.
    pub overwrite: bool,
    /// `group_reporting`: one report for all threads.
    pub group_reporting: bool,
    /// `stonewall`: begin when the jobs before have ended, and not with them.
    pub stonewall: bool,
}

/// What is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// Reads only.
    Read,
    /// Writes only.
    Write,
    /// Both.
    Mixed,
}

/// What became of an option.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Taken {
    /// It counts.
    Yes,
    /// It changes nothing here, for this reason.
    Ignored(&'static str),
}

impl Default for Options {
    /// What fio does where nobody says anything; but 256 MiB, where fio wants to be told.
    fn default() -> Self {
        Self {
            name: String::new(),
            direction: Direction::Read,
            pattern: Pattern::Sequential,
            read_percent: 50,
            block: ByteSize::kib(4),
            depth: 1,
            lanes: 1,
            size: ByteSize::mib(256),
            loops: 1,
            runtime: None,
            ramp: Duration::ZERO,
            time_based: false,
            direct: false,
            engine: Engine::Psync,
            filename: None,
            directory: None,
            sync_every: 0,
            sync_data: false,
            sync_at_end: false,
            invalidate: true,
            overwrite: false,
            group_reporting: false,
            stonewall: false,
        }
    }
}

/// Switches that say what is the case anyway, where they are on.
const ALWAYS_ON: [(&str, &str); 3] = [
    ("thread", "jobs are threads"),
    ("norandommap", "random blocks repeat"),
    ("randrepeat", "random blocks are the same in every run"),
];

/// Options that change nothing, whatever their value is.
const IGNORED: [(&str, &str); 3] = [
    ("description", "nothing shows it"),
    ("fallocate", "files are written whole before the clock starts"),
    ("create_serialize", "files are written one after the other"),
];

impl Options {
    /// Sets the option of this name. One without a value is switched on.
    ///
    /// # Errors
    /// In one sentence, what is wrong with the value, or that nobody knows the name.
    pub fn set(&mut self, key: &str, value: Option<&str>) -> Result<Taken, String> {
        if let Some((_, why)) = IGNORED.iter().find(|(known, _)| *known == key) {
            return Ok(Taken::Ignored(why));
        }
        let text = value.unwrap_or("1");
        if let Some((_, why)) = ALWAYS_ON.iter().find(|(known, _)| *known == key) {
            return match switch(text)? {
                true => Ok(Taken::Ignored(why)),
                false => Err(format!(
                    "{key}=0 is not to be had here: {why}; leave it out, or run the job by fio \
                     itself"
                )),
            };
        }
        match key {
            "rw" | "readwrite" => self.set_rw(text)?,
            "bs" | "blocksize" => self.block = size(text)?,
            "iodepth" => self.depth = count(text, 1, 256)?,
            "numjobs" => self.lanes = count(text, 1, 256)?,
            "size" => self.size = size(text)?,
            "loops" => self.loops = count(text, 1, u32::MAX)?,
            "runtime" => self.runtime = Some(time(text)?).filter(|time| !time.is_zero()),
            "ramp_time" => self.ramp = time(text)?,
            "time_based" => self.time_based = switch(text)?,
            "direct" => self.direct = switch(text)?,
            "buffered" => self.direct = !switch(text)?,
            "ioengine" => self.engine = engine(text)?,
            "filename" => self.filename = Some(one_file(text)?),
            "directory" => self.directory = Some(one_file(text)?),
            "fsync" | "fdatasync" => {
                self.set_sync(key == "fdatasync", count(text, 0, u32::MAX)?)?
            }
            "end_fsync" => self.sync_at_end = switch(text)?,
            "rwmixread" => self.read_percent = count(text, 0, 100)? as u8,
            "rwmixwrite" => self.read_percent = 100 - count(text, 0, 100)? as u8,
            "invalidate" => self.invalidate = switch(text)?,
            "overwrite" => self.overwrite = switch(text)?,
            "group_reporting" => self.group_reporting = switch(text)?,
            "stonewall" | "wait_for_previous" => self.stonewall = switch(text)?,
            _ => {
                return Err(format!(
                    "the option '{key}' is not known here; leave it out, or run the job by fio \
                     itself"
                ));
            }
        }
        Ok(Taken::Yes)
    }

    fn set_rw(&mut self, text: &str) -> Result<(), String> {
        (self.direction, self.pattern) = match text {
            "read" => (Direction::Read, Pattern::Sequential),
            "write" => (Direction::Write, Pattern::Sequential),
            "rw" | "readwrite" => (Direction::Mixed, Pattern::Sequential),
            "randread" => (Direction::Read, Pattern::Random),
            "randwrite" => (Direction::Write, Pattern::Random),
            "randrw" => (Direction::Mixed, Pattern::Random),
            _ => {
                return Err(format!(
                    "'{text}' is no pattern; write one of: read, write, rw, randread, randwrite, \
                     randrw"
                ));
            }
        };
        Ok(())
    }

    /// One of the two, as often as that; 0 takes back what its own key said.
    fn set_sync(&mut self, data: bool, every: u32) -> Result<(), String> {
        let other = self.sync_every > 0 && self.sync_data != data;
        if other && every > 0 {
            return Err("a write is followed by fsync or by fdatasync; say one of them".into());
        }
        if !other {
            (self.sync_every, self.sync_data) = (every, data && every > 0);
        }
        Ok(())
    }

    /// `fsync` or `fdatasync`, whichever follows writes.
    pub fn sync_name(&self) -> &'static str {
        if self.sync_data { "fdatasync" } else { "fsync" }
    }

    /// What a thread does.
    ///
    /// # Errors
    /// What makes no sense, in one sentence.
    pub fn cell(&self) -> Result<JobCell, String> {
        if self.time_based && self.runtime.is_none() {
            return Err("time_based goes on until runtime has passed; say runtime as well".into());
        }
        if self.engine == Engine::Mmap && self.filename.is_some() {
            return Err("a file that somebody shortens ends the process that has it mapped, so \
                        that mmap reads only files made here; leave out filename, and say where \
                        with directory"
                .into());
        }
        let cell = JobCell {
            engine: self.engine,
            direct: self.direct,
            pattern: self.pattern,
            read_percent: match self.direction {
                Direction::Read => 100,
                Direction::Write => 0,
                Direction::Mixed => self.read_percent,
            },
            block: self.block,
            depth: self.depth,
            size: self.size,
            passes: (!self.time_based).then_some(self.loops),
            sync_every: self.sync_every,
            sync_data: self.sync_data,
            sync_at_end: self.sync_at_end,
        };
        cell.check().map_err(|error| error.to_string()).map(|()| cell)
    }

    /// `rw` as fio writes it.
    pub fn rw(&self) -> String {
        let random = if self.pattern == Pattern::Random { "rand" } else { "" };
        let direction = match self.direction {
            Direction::Read => "read",
            Direction::Write => "write",
            Direction::Mixed => "rw",
        };
        format!("{random}{direction}")
    }

    /// What the job is called in an id: its name, or what it does. Two jobs that differ in more than
    /// size and time differ in it, and two that do the same do not.
    pub fn label(&self) -> String {
        if !self.name.is_empty() {
            return self.name.clone();
        }
        let Self { engine, block, lanes, .. } = self;
        let direct = if self.direct { "_direct" } else { "" };
        let depth = depth_of(*engine, self.depth);
        let mut label = format!("{}/{engine}{direct}/bs{block}/qd{depth}/jobs{lanes}", self.rw());
        let writes = self.direction != Direction::Read;
        for (said, part) in [
            (self.direction == Direction::Mixed, format!("mix{}", self.read_percent)),
            (writes && self.sync_every > 0, format!("{}{}", self.sync_name(), self.sync_every)),
            (writes && self.sync_at_end, "end_fsync".to_owned()),
            (!self.direct && !self.invalidate, "warm".to_owned()),
            (self.loops > 1 && !self.time_based, format!("loops{}", self.loops)),
            (self.time_based, "time_based".to_owned()),
        ] {
            if said {
                label += "/";
                label += &part;
            }
        }
        label
    }

    /// The options that make the job, by fio's names and in its words.
    pub fn pairs(&self) -> Vec<(&'static str, String)> {
        let switch = |on: bool| if on { "1" } else { "0" }.to_owned();
        let mut pairs = vec![
            ("rw", self.rw()),
            ("bs", print_size(self.block)),
            ("iodepth", self.depth.to_string()),
            ("numjobs", self.lanes.to_string()),
            ("size", print_size(self.size)),
            ("ioengine", self.engine.to_string()),
            ("direct", switch(self.direct)),
            ("invalidate", switch(self.invalidate)),
            // Which fio has to be told, and we always do.
            ("norandommap", switch(true)),
        ];
        if self.direction == Direction::Mixed {
            pairs.push(("rwmixread", self.read_percent.to_string()));
        }
        if let Some(runtime) = self.runtime {
            pairs.push(("runtime", format!("{}us", runtime.as_micros())));
        }
        if !self.ramp.is_zero() {
            pairs.push(("ramp_time", format!("{}us", self.ramp.as_micros())));
        }
        for (key, value) in [("loops", self.loops), (self.sync_name(), self.sync_every)] {
            if value > u32::from(key == "loops") {
                pairs.push((key, value.to_string()));
            }
        }
        for (key, on) in [
            ("time_based", self.time_based),
            ("end_fsync", self.sync_at_end),
            ("overwrite", self.overwrite),
            ("group_reporting", self.group_reporting),
            ("stonewall", self.stonewall),
        ] {
            pairs.extend(on.then(|| (key, switch(true))));
        }
        for (key, path) in [("filename", &self.filename), ("directory", &self.directory)] {
            pairs.extend(path.as_ref().map(|path| (key, path.display().to_string())));
        }
        pairs
    }
}

fn engine(text: &str) -> Result<Engine, String> {
    match text {
        "psync" | "pread" | "sync" => Ok(Engine::Psync),
        "mmap" => Ok(Engine::Mmap),
        "io_uring" => Ok(Engine::IoUring),
        "tokio" => Ok(Engine::Tokio),
        _ => Err(format!(
            "'{text}' is no engine here; write one of: psync (or pread), mmap, io_uring, tokio"
        )),
    }
}

/// fio takes several, parted by colons.
fn one_file(text: &str) -> Result<PathBuf, String> {
    if text.is_empty() || text.contains(':') || text.contains("${") {
        return Err(format!("'{text}' is no path of one file or directory"));
    }
    Ok(PathBuf::from(text))
}

#[cfg(test)]
#[path = "options_tests.rs"]
mod tests;
