//! Threads that do one task together, again and again, each on a CPU.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;

use bench_core::fixture::cpus::{Pinned, available, spawn_pinned};

use super::Share;
use crate::error::Error;

/// What every member does; the members share it and divide the work among themselves.
pub(super) type Task = Arc<dyn Fn(usize) -> Result<Share, Error> + Send + Sync>;

/// A number of members, one of which is the caller: a team of one has no thread, and stays where the
/// scheduler puts it. Others are spread over the CPUs in turn, the caller on the first.
#[derive(Debug)]
pub(super) struct Team {
    members: Vec<Member>,
    shares: Receiver<Result<Share, Error>>,
    /// On which they are.
    cpus: &'static [usize],
    /// From here on, so that no time is spent on it later.
    _caller: Option<Pinned>,
}

#[derive(Debug)]
struct Member {
    /// Taken before the thread is joined: it ends when nobody can give it a task.
    tasks: Option<Sender<Task>>,
    thread: Option<JoinHandle<()>>,
}

impl Team {
    /// # Errors
    /// When the system has no thread left, or a thread cannot be pinned.
    pub(super) fn of(size: u32) -> Result<Self, Error> {
        let (done, shares) = channel();
        let (all, size) = (available()?, size as usize);
        let cpus = if size > 1 { &all[..size.min(all.len())] } else { &[] };
        let caller = cpus.first().copied().map(Pinned::to).transpose()?;
        let mut team = Self { members: Vec::new(), shares, cpus, _caller: caller };
        for number in 1..size {
            let (tasks, received) = channel::<Task>();
            let done = done.clone();
            let work = move || {
                // Until the team is dropped.
                while let Ok(task) = received.recv() {
                    if done.send(task(number)).is_err() {
                        return;
                    }
                }
            };
            let thread = spawn_pinned(&format!("files-{number}"), cpus[number % cpus.len()], work)?;
            team.members.push(Member { tasks: Some(tasks), thread: Some(thread) });
        }
        Ok(team)
    }

    /// The CPUs that the members are on, as a record names them; nothing where there is but the caller.
    pub(super) fn cpus(&self) -> Option<(&'static str, String)> {
        let list: Vec<String> = self.cpus.iter().map(usize::to_string).collect();
        (!list.is_empty()).then(|| ("cpus", list.join(",")))
    }

    /// Has every member do the task, and waits for all of them.
    ///
    /// # Errors
    /// The first failure.
    ///
    /// # Panics
    /// When a member panicked.
    pub(super) fn run(&self, task: &Task) -> Result<Vec<Share>, Error> {
        for member in &self.members {
            let tasks = member.tasks.as_ref().expect("a team that lives");
            tasks.send(Arc::clone(task)).expect("a member panicked");
        }
        let own = task(0);
        let others = self.members.iter().map(|_| self.shares.recv().expect("a member panicked"));
        // All are waited for, whatever one of them says.
        let others: Vec<_> = others.collect();
        std::iter::once(own).chain(others).collect()
    }
}

impl Drop for Team {
    fn drop(&mut self) {
        for member in &mut self.members {
            member.tasks = None;
            if let Some(thread) = member.thread.take() {
                let _ended = thread.join();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use bench_core::fixture::cpus::allowed;

    use super::*;

    #[test]
    fn each_member_stays_on_its_cpu_and_the_caller_is_free_again_afterwards() {
        let (all, before) = (available().expect("CPUs"), allowed().expect("CPUs"));
        let seen = Arc::new(Mutex::new(Vec::new()));
        let task: Task = {
            let seen = Arc::clone(&seen);
            Arc::new(move |number| {
                seen.lock().expect("no panic").push((number, allowed().expect("CPUs")));
                Ok(Share::default())
            })
        };
        let team = Team::of(3).expect("three threads");
        assert_eq!(team.run(&task).expect("nothing fails").len(), 3);
        let mut seen = seen.lock().expect("no panic").clone();
        seen.sort_unstable();
        let each: Vec<_> = (0..3).map(|number| (number, vec![all[number % all.len()]])).collect();
        assert_eq!(seen, each);
        let list: Vec<String> = all.iter().take(3).map(usize::to_string).collect();
        assert_eq!(team.cpus(), Some(("cpus", list.join(","))));
        drop(team);
        let alone = Team::of(1).expect("no thread");
        assert_eq!((alone.cpus(), allowed().expect("CPUs")), (None, before));
    }
}
