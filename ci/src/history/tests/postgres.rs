//! A server of PostgreSQL: the suite on a private cluster, which is gone afterwards.

use std::path::PathBuf;
use std::process::{Command, Stdio};

use tempfile::TempDir;

use super::super::Store;
use super::super::place::Place;
use super::conformance;
use crate::doctor::probe;
use crate::exit::{self, Exit};

/// A server that listens on a socket in its own folder; ended and removed when dropped.
struct Server {
    programs: PathBuf,
    folder: TempDir,
}

impl Server {
    fn start() -> Self {
        let programs =
            probe::postgres().expect("PostgreSQL is installed: `cargo perf test --setup`");
        // Below /tmp, because the path of a socket may not be long.
        let folder = tempfile::Builder::new().prefix("pg-").tempdir_in("/tmp").expect("folder");
        if rustix::process::geteuid().is_root() {
            succeed(Command::new("chown").arg("postgres").arg(folder.path()));
        }
        let server = Self { programs, folder };
        let data = server.data();
        succeed(server.program("initdb").args(["-A", "trust", "-U", "me", "-D"]).arg(&data));
        let socket = server.folder.path().display();
        let options = format!("-k {socket} -c listen_addresses= -c fsync=off");
        let log = server.folder.path().join("log");
        let mut start = server.program("pg_ctl");
        succeed(
            start.arg("-D").arg(&data).arg("-l").arg(log).args(["-w", "-o", &options, "start"]),
        );
        server
    }

    fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// The program, as a user that is not root: the server refuses to be.
    fn program(&self, name: &str) -> Command {
        let program = self.programs.join(name);
        let mut command = if rustix::process::geteuid().is_root() {
            let mut command = Command::new("runuser");
            command.args(["-u", "postgres", "--"]).arg(program);
            command
        } else {
            Command::new(program)
        };
        command.current_dir("/").stdin(Stdio::null()).stdout(Stdio::null());
        command
    }

    /// A new database of the server.
    fn place(&self, name: &str) -> Place {
        let socket = self.folder.path().display();
        succeed(
            self.program("createdb").args(["-U", "me", "-h"]).arg(self.folder.path()).arg(name),
        );
        let url = format!("postgres://me:secret@localhost/{name}?host={socket}");
        Place::parse(&url).expect("a URL")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let mut stop = self.program("pg_ctl");
        let _ended =
            stop.arg("-D").arg(self.data()).args(["-w", "-m", "immediate", "stop"]).status();
    }
}

#[track_caller]
fn succeed(command: &mut Command) {
    let output = command.output().expect("it starts");
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn a_server_conforms_and_says_in_one_sentence_what_is_wrong() {
    let server = Server::start();
    conformance::conform(&server.place("suite"));
    let lock = ["BEGIN", "LOCK TABLE history_runs IN EXCLUSIVE MODE"];
    conformance::locked_is_said(&server.place("locked"), &lock);
    conformance::nothing_is_made_by_looking(&server.place("looking"));
    conformance::newer_is_left_alone(&server.place("newer"));
    conformance::many_at_once_are_served(&server.place("many"));
    a_server_that_is_not_there_is_named(server);
}

fn a_server_that_is_not_there_is_named(server: Server) {
    let place = server.place("gone");
    drop(server);
    let error = Store::open(&place).err().expect("gone");
    assert_eq!(exit::of(&error), Exit::Broke);
    let told = error.to_string();
    assert!(told.starts_with("failed to open the history postgres://"), "{told}");
    assert!(!told.contains("secret") && !told.contains('\n'), "{told}");
}
