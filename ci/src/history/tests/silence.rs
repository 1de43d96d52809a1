//! A server that takes the call and then says nothing: the system answers for it, it never does.

use std::net::TcpListener;
use std::time::Duration;

use super::super::Store;
use super::super::place::Place;
use crate::exit::{self, Exit};

#[test]
fn a_server_that_says_nothing_is_given_up() {
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a port");
    let port = listener.local_addr().expect("bound").port();
    let url = format!("postgres://me:secret@127.0.0.1:{port}/perf?sslmode=disable");
    let place = Place::parse(&url).expect("a URL");
    let error = Store::open_with(&place, Duration::from_millis(100)).err().expect("silent");
    assert_eq!(exit::of(&error), Exit::Broke);
    let told = error.to_string();
    assert!(told.contains("did not answer within 0.1 s"), "{told}");
    assert!(!told.contains("secret") && !told.contains('\n'), "{told}");
}
