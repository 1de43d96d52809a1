//! The files of jobs that run together: laid out, or found, before anything is measured; brought
//! into their state, and removed where this run made them.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::{Path, PathBuf};

use bench_core::fixture::Payload;
use bench_core::measure::environment::read_ahead;
use bench_core::units::ByteSize;
use bench_core::workload::Failure;
use bench_storage::Error;
use bench_storage::cache_state::{Cold, Direct, Reached, Warm};
use bench_storage::file::ScratchFile;
use bench_storage::files::cell::Pattern;
use bench_storage::page_cache::CachedFile;
use bench_storage::scratch::ScratchDirectory;

use super::options::{Direction, Options};

const SEED: u64 = 42;

/// Files by their path.
#[derive(Debug, Default)]
pub struct Site {
    files: BTreeMap<PathBuf, Place>,
    /// Behind the files, which are closed before their directory goes.
    directories: BTreeMap<Option<PathBuf>, ScratchDirectory>,
}

#[derive(Debug)]
struct Place {
    file: OnDisk,
    wanted: Wanted,
    touched: Touched,
    state: Option<State>,
    /// How often it was brought into its state.
    runs: u32,
}

/// What all jobs together do to a file.
#[derive(Clone, Copy, Debug)]
struct Touched {
    /// How often it is gone through, over all threads; `None` as often as there is time for.
    passes: Option<u64>,
    /// A block may be met again in one pass.
    repeats: bool,
}

impl Touched {
    fn by(job: &Options) -> Self {
        let once = job.pattern == Pattern::Sequential && job.direction != Direction::Mixed;
        let passes = (!job.time_based).then_some(u64::from(job.loops));
        Self { passes, repeats: !once }
    }

    fn and(self, other: Self) -> Self {
        let passes = self.passes.zip(other.passes).map(|(own, other)| own + other);
        Self { passes, repeats: self.repeats || other.repeats }
    }
}

#[derive(Debug)]
enum OnDisk {
    /// In a scratch directory, which removes it.
    Scratch(ScratchFile),
    /// Under the name that the user gave.
    Named(Named),
    /// It was there before.
    Found(CachedFile),
}

/// Removed when the run is over.
#[derive(Debug)]
struct Named(ScratchFile);

impl Drop for Named {
    fn drop(&mut self) {
        // Somebody else may have removed it already.
        let _gone = fs::remove_file(self.0.cached().path());
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wanted {
    Cold,
    Warm,
    Direct,
}

#[derive(Debug)]
enum State {
    Cold(Reached<Cold>),
    Warm(Reached<Warm>),
    Direct(Reached<Direct>),
}

/// A failure and the job that it came from.
#[derive(Debug, thiserror::Error)]
#[error("job {job}: {source}")]
struct InJob {
    /// From 1.
    job: usize,
    source: Failure,
}

impl OnDisk {
    const fn cached(&self) -> &CachedFile {
        match self {
            Self::Scratch(file) | Self::Named(Named(file)) => file.cached(),
            Self::Found(file) => file,
        }
    }
}

impl Site {
    /// Lays out what these jobs, which run together, work on.
    ///
    /// # Errors
    /// A file that is there and too small, or would be written over unasked; what the disk refused.
    pub fn prepare(jobs: &[Options]) -> Result<Self, Failure> {
        let mut site = Self::default();
        let mut largest: BTreeMap<PathBuf, ByteSize> = BTreeMap::new();
        for job in jobs {
            for lane in 0..job.lanes {
                let path = site.path(jobs, job, lane)?;
                let size = largest.entry(path).or_insert(job.size);
                *size = job.size.max(*size);
            }
        }
        for (number, job) in jobs.iter().enumerate() {
            for lane in 0..job.lanes {
                let path = site.path(jobs, job, lane)?;
                site.want(&path, largest[&path], job)
                    .map_err(|source| InJob { job: number + 1, source })?;
            }
        }
        Ok(site)
    }

    /// The file of a lane.
    ///
    /// # Errors
    /// Where its scratch directory cannot be made.
    pub fn path(&mut self, jobs: &[Options], job: &Options, lane: u32) -> Result<PathBuf, Failure> {
        if let Some(name) = &job.filename {
            return Ok(job.directory.as_deref().unwrap_or(Path::new("")).join(name));
        }
        let number = jobs.iter().position(|known| std::ptr::eq(known, job)).unwrap_or_default();
        let directory = match self.directories.get(&job.directory) {
            Some(directory) => directory,
            None => {
                let made = match &job.directory {
                    Some(parent) => ScratchDirectory::create_in(parent)?,
                    None => ScratchDirectory::create()?,
                };
                self.directories.entry(job.directory.clone()).or_insert(made)
            }
        };
        Ok(directory.path().join(format!("{number}.{lane}")))
    }

    /// Once for each thread.
    fn want(&mut self, path: &Path, size: ByteSize, job: &Options) -> Result<(), Failure> {
        let touched = Touched::by(job);
        let wanted = match (job.direct, job.invalidate) {
            (true, _) => Wanted::Direct,
            (false, true) => Wanted::Cold,
            (false, false) => Wanted::Warm,
        };
        let writes = job.cell()?.writes();
        if let Some(place) = self.files.get_mut(path) {
            // Who goes past the page cache and who does not can only both begin without it.
            if place.wanted != wanted {
                place.wanted = Wanted::Cold;
            }
            place.touched = place.touched.and(touched);
            return may_write(&place.file, writes, job);
        }
        let file = match job.filename {
            Some(_) if path.exists() => OnDisk::Found(found(path, size)?),
            Some(_) => OnDisk::Named(Named(laid_out(path, size)?)),
            None => OnDisk::Scratch(laid_out(path, size)?),
        };
        may_write(&file, writes, job)?;
        let place = Place { file, wanted, touched, state: None, runs: 0 };
        self.files.insert(path.to_owned(), place);
        Ok(())
    }

    /// Brings all files into the state that their jobs are to meet, and looks.
    ///
    /// # Errors
    /// A state that cannot be reached.
    pub fn reach(&mut self) -> Result<(), Failure> {
        for place in self.files.values_mut() {
            place.runs += 1;
            let cached = place.file.cached();
            place.state = Some(match place.wanted {
                Wanted::Cold => State::Cold(cached.reach()?),
                Wanted::Warm => State::Warm(cached.reach()?),
                Wanted::Direct => State::Direct(cached.reach()?),
            });
        }
        Ok(())
    }

    /// Asserts, before the clock starts, that nothing has moved since.
    ///
    /// # Errors
    /// The file that something moved.
    pub fn held_before(&self) -> Result<(), Failure> {
        self.each_state(|state, cached| match state {
            State::Cold(reached) => reached.held_before(cached),
            State::Warm(reached) => reached.held_before(cached),
            State::Direct(reached) => reached.held_before(cached),
        })
    }

    /// Asserts, after it has stopped, that operations met what they were to meet.
    ///
    /// # Errors
    /// The file that left its state.
    pub fn held(&self) -> Result<(), Failure> {
        self.each_state(|state, cached| match state {
            State::Cold(reached) => reached.held(cached),
            State::Warm(reached) => reached.held(cached),
            State::Direct(reached) => reached.held(cached),
        })
    }

    fn each_state(
        &self,
        look: impl Fn(&State, &CachedFile) -> Result<(), bench_storage::Error>,
    ) -> Result<(), Failure> {
        for place in self.files.values() {
            let state = place.state.as_ref().ok_or("no state was reached")?;
            look(state, place.file.cached())?;
        }
        Ok(())
    }

    /// The open file of a path, to compare with.
    ///
    /// # Panics
    /// When it is not of this site.
    pub fn file(&self, path: &Path) -> &File {
        self.files[path].file.cached().file()
    }

    /// What a file of ours held when the run began: known of the first run alone.
    pub fn before(&self, path: &Path) -> Option<Payload> {
        match &self.files.get(path)?.file {
            OnDisk::Scratch(file) | OnDisk::Named(Named(file)) if self.files[path].runs == 1 => {
                Some(*file.payload())
            }
            _ => None,
        }
    }

    /// What made the numbers, as to this file. What begins cold and is then met again is not
    /// called cold: it is so on the `first pass`, or at the `first touch` of each block.
    pub fn dimensions(&self, path: &Path) -> Vec<(&'static str, String)> {
        let Some(place) = self.files.get(path) else { return Vec::new() };
        let mut dimensions = match &place.state {
            Some(State::Cold(reached)) => reached.dimensions(),
            Some(State::Warm(reached)) => reached.dimensions(),
            Some(State::Direct(reached)) => reached.dimensions(),
            None => Vec::new(),
        };
        let Touched { passes, repeats } = place.touched;
        if let (Some(State::Cold(_)), Some((_, state))) = (&place.state, dimensions.first_mut()) {
            match (repeats, passes) {
                (true, _) => *state += ", first touch",
                (false, Some(1)) => {}
                (false, _) => *state += ", first pass",
            }
        }
        let passes = passes.map_or_else(|| "by time".to_owned(), |passes| passes.to_string());
        dimensions.push(("passes", passes));
        dimensions.push(("read_ahead", read_ahead(path)));
        dimensions
    }
}

fn laid_out(path: &Path, size: ByteSize) -> Result<ScratchFile, Failure> {
    Ok(ScratchFile::create_at(path, Payload::seeded(SEED, size))?)
}

fn found(path: &Path, size: ByteSize) -> Result<CachedFile, Failure> {
    let name = path.display();
    let open = || -> std::io::Result<(File, fs::Metadata)> {
        let file = File::open(path)?;
        let metadata = file.metadata()?;
        Ok((file, metadata))
    };
    let (file, metadata) = open().map_err(|error| format!("failed to open {name}: {error}"))?;
    if !metadata.is_file() {
        return Err(usage(format!(
            "{name} is no file; name a file, or a directory with --directory"
        )));
    }
    if metadata.len() < size.bytes() {
        let has = ByteSize::new(metadata.len());
        return Err(usage(format!(
            "{name} has {has}, and the job wants {size}; choose a smaller size"
        )));
    }
    Ok(CachedFile::new(file, path)?)
}

fn may_write(file: &OnDisk, writes: bool, job: &Options) -> Result<(), Failure> {
    if let (OnDisk::Found(found), true, false) = (file, writes, job.overwrite) {
        return Err(usage(format!(
            "{} is there already and would be written over; name a file that is not, or set \
             overwrite=1",
            found.path().display()
        )));
    }
    Ok(())
}

/// What the options ask for and nobody can do.
fn usage(sentence: String) -> Failure {
    Error::InvalidJob(sentence).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn job(options: &[(&str, &str)]) -> Options {
        let mut job = Options { size: ByteSize::kib(64), ..Options::default() };
        for (key, value) in options {
            job.set(key, Some(value)).expect(key);
        }
        job
    }

    #[test]
    fn a_named_file_is_removed_if_it_was_made_here_and_spared_if_not() {
        let directory = tempfile::tempdir().expect("create");
        let name = directory.path().join("f").display().to_string();
        let path = Path::new(&name);
        let reads = job(&[("filename", &name)]);
        let writes = job(&[("filename", &name), ("rw", "write")]);
        let site = Site::prepare(&[reads.clone(), writes.clone()]).expect("laid out");
        assert_eq!(fs::metadata(path).expect("there").len(), 64 << 10);
        drop(site);
        assert!(!path.exists());

        fs::write(path, vec![1; 64 << 10]).expect("write");
        drop(Site::prepare(std::slice::from_ref(&reads)).expect("found"));
        let unasked = Site::prepare(&[reads.clone(), writes]).expect_err("unasked");
        assert_eq!(crate::front::code_of(&unasked), crate::front::USAGE);
        let told = unasked.to_string();
        assert!(told.starts_with("job 2: ") && told.contains("set overwrite=1"), "{told}");
        let asked = job(&[("filename", &name), ("rw", "write"), ("overwrite", "1")]);
        drop(Site::prepare(&[asked]).expect("asked"));
        let larger = job(&[("filename", &name), ("size", "65k")]);
        let told = Site::prepare(&[larger]).expect_err("too small").to_string();
        assert!(
            told.ends_with("has 64KiB, and the job wants 65KiB; choose a smaller size"),
            "{told}"
        );
        assert!(path.exists(), "it is not ours");
        let told = Site::prepare(&[job(&[("filename", "/dev")])]).expect_err("no file").to_string();
        assert!(told.contains("/dev is no file"), "{told}");
    }

    #[test]
    fn threads_have_files_of_their_own_which_go_with_the_site() {
        let jobs = [job(&[("numjobs", "3")]), job(&[])];
        let mut site = Site::prepare(&jobs).expect("laid out");
        assert_eq!(site.files.len(), 4);
        site.reach().ok();
        let path = site.path(&jobs, &jobs[1], 0).expect("known");
        assert_eq!(site.file(&path).metadata().expect("there").len(), 64 << 10);
        drop(site);
        assert!(!path.exists());
    }
}
