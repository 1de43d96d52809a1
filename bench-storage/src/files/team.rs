//! Threads that do one task together, again and again.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::{self, JoinHandle};

use super::Share;
use crate::error::Error;

/// What every member does; the members share it and divide the work among themselves.
pub(super) type Task = Arc<dyn Fn(usize) -> Result<Share, Error> + Send + Sync>;

/// A number of members, one of which is the caller: a team of one has no thread.
#[derive(Debug)]
pub(super) struct Team {
    members: Vec<Member>,
    shares: Receiver<Result<Share, Error>>,
}

#[derive(Debug)]
struct Member {
    /// Taken before the thread is joined: it ends when nobody can give it a task.
    tasks: Option<Sender<Task>>,
    thread: Option<JoinHandle<()>>,
}

impl Team {
    /// # Errors
    /// When the system has no thread left.
    pub(super) fn of(size: u32) -> Result<Self, Error> {
        let (done, shares) = channel();
        let mut team = Self { members: Vec::new(), shares };
        for number in 1..size as usize {
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
            let thread = thread::Builder::new().name(format!("files-{number}")).spawn(work);
            let thread = thread.map_err(Error::Threads)?;
            team.members.push(Member { tasks: Some(tasks), thread: Some(thread) });
        }
        Ok(team)
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
