//! `cargo perf publish` against programs that stand in for `gh` and `curl`: they write down what
//! they were asked and answer from files.

mod front_door;

use std::fs;
use std::os::unix::fs::PermissionsExt;

use front_door::{Folder, Ran};

/// Every call: its arguments, what it was to send, and what curl was told apart.
const STAND_IN: &str = r#"#!/bin/sh
cd "$ROOM" || exit 9
last=; verb=; sent=; secret=
for word in "$@"; do
  case "$last" in
    --method|--request) verb=$word ;;
    --input) sent=$(cat "$word") ;;
    --data-binary) sent=$(cat "${word#@}") ;;
    --config) secret=$(cat "$word") ;;
  esac
  last=$word
done
printf '%s\n' "$0 $*" >> argv
printf '%s\n' "$verb $last $sent" >> asked
printf '%s\n' "$GH_TOKEN $secret" >> tokens
if [ -f broken ]; then cat broken >&2; echo '{"message":"401 Unauthorized"}'; exit 22; fi
case "$verb $last" in
  "POST graphql") echo '{"data":{"viewer":{"login":"us[bot]"}}}' ;;
  "GET "*/user) echo '{"username":"us[bot]"}' ;;
  "GET "*page=1) cat first 2>/dev/null || echo '[]' ;;
  "GET "*page=2) cat second 2>/dev/null || echo '[]' ;;
  *) echo '{"html_url":"https://forge/1","web_url":"https://forge/1"}' ;;
esac
"#;

/// A folder with the stand-ins, a report, and what a forge would set.
struct Room {
    folder: Folder,
    forge: Vec<String>,
}

impl Room {
    fn new(forge: &[&str]) -> Self {
        let folder = Folder::new();
        for name in ["bin/gh", "bin/curl"] {
            let path = folder.write(name, STAND_IN);
            fs::set_permissions(path, fs::Permissions::from_mode(0o755)).expect("executable");
        }
        folder.write("report.md", "# gate passed\n");
        Self { folder, forge: forge.iter().map(|set| (*set).to_owned()).collect() }
    }

    fn github() -> Self {
        let set = ["GITHUB_ACTIONS=true", "GH_TOKEN=s3cret", "GITHUB_REPOSITORY=o/r"];
        let mut room = Self::new(&set);
        room.forge.push("GITHUB_REF=refs/pull/7/merge".to_owned());
        room
    }

    fn gitlab() -> Self {
        Self::new(&[
            "GITLAB_CI=true",
            "WEIGHBRIDGE_GITLAB_TOKEN=s3cret",
            "CI_PROJECT_ID=12",
            "CI_MERGE_REQUEST_IID=7",
            "CI_API_V4_URL=https://gitlab.example/api/v4",
        ])
    }

    /// Runs the program with these variables and no others.
    fn run(&self, args: &[&str]) -> Ran {
        let (root, bin) = (self.folder.path(""), self.folder.path("bin"));
        let set = [format!("PATH={bin}:/usr/bin:/bin"), format!("ROOM={root}")];
        let mut words: Vec<&str> = vec!["-i"];
        words.extend(set.iter().chain(&self.forge).map(String::as_str));
        words.extend([env!("CARGO_BIN_EXE_weighbridge"), "publish"]);
        words.extend(args);
        self.folder.run_as("env", &root, &words)
    }

    /// What was asked, without who we are.
    fn asked(&self) -> Vec<String> {
        let asked = self.folder.read("asked");
        let own = |line: &&str| !line.contains("graphql") && !line.contains("/user");
        asked.lines().filter(own).map(|line| line.trim_end().to_owned()).collect()
    }
}

const COMMENTS: &str = "repos/o/r/issues/7/comments";

#[test]
fn the_first_comment_is_created() {
    let room = Room::github();
    let told = room.run(&["comment", "report.md", "--name", "gate"]).exits(0);
    told.prints("created the comment 'gate': https://forge/1");
    let asked = room.asked();
    assert_eq!(asked[0], format!("GET {COMMENTS}?per_page=100&page=1"));
    let sent = r##"{"body":"<!-- weighbridge:gate -->\n# gate passed\n"}"##;
    assert_eq!(asked[1..], [format!("POST {COMMENTS} {sent}")]);
}

#[test]
fn what_is_not_there_is_said_in_place_of_the_comment_of_an_older_commit() {
    let room = Room::github();
    let ours = r#"{"id":5,"user":{"login":"us[bot]"},"body":"<!-- weighbridge:compare -->\nold"}"#;
    room.folder.write("first", &format!("[{ours}]"));
    let none = "There is no comparison of f00d";
    let words = ["comment", "none.md", "--name", "compare", "--otherwise", none];
    room.run(&words).exits(4).prints("updated the comment 'compare'");
    let sent = format!(r#"{{"body":"<!-- weighbridge:compare -->\n{none}\n"}}"#);
    assert_eq!(room.asked()[1], format!("PATCH repos/o/r/issues/comments/5 {sent}"));
    // A report that is there says it better.
    let room = Room::github();
    room.run(&["comment", "report.md", "--otherwise", none]).exits(0);
    assert!(room.asked()[1].contains("# gate passed"), "{:?}", room.asked());
}

#[test]
fn the_second_is_an_update_of_the_first_and_of_nobody_elses() {
    let room = Room::github();
    let marked = r#""body":"<!-- weighbridge:gate -->\r\nold""#;
    let theirs = format!(r#"{{"id":1,"user":{{"login":"them"}},{marked}}}"#);
    let other = r#"{"id":2,"user":{"login":"us[bot]"},"body":"<!-- weighbridge:compare -->\nold"}"#;
    let quoted = r#"{"id":3,"user":{"login":"us[bot]"},"body":"> <!-- weighbridge:gate -->"}"#;
    let ghost = r#"{"id":4,"user":null,"body":null}"#;
    let ours = format!(r#"{{"id":5,"user":{{"login":"us[bot]"}},{marked}}}"#);
    // A full page of what is not ours, so that ours is on the second.
    let first = vec![theirs.as_str(); 100].join(",");
    room.folder.write("first", &format!("[{first}]"));
    room.folder.write("second", &format!("[{other},{quoted},{ghost},{ours}]"));
    let told = room.run(&["comment", "report.md", "--name", "gate", "--json"]).exits(0);
    told.prints(r#"{"done":"updated","url":"https://forge/1"}"#);
    let asked = room.asked();
    assert_eq!(asked.len(), 3, "{asked:?}");
    assert!(asked[2].starts_with("PATCH repos/o/r/issues/comments/5 "), "{asked:?}");
}

#[test]
fn a_foreign_comment_with_our_marker_is_left_alone() {
    let room = Room::github();
    let theirs = r#"[{"id":1,"user":{"login":"them"},"body":"<!-- weighbridge:report -->"}]"#;
    room.folder.write("first", theirs);
    room.run(&["comment", "report.md"]).exits(0).prints("created");
    assert!(!room.folder.read("asked").contains("PATCH"));
}

#[test]
fn an_open_issue_is_written_over_and_a_pull_request_is_none() {
    let issue = ["issue", "report.md", "--name", "nightly", "--title", "It got slower"];
    let room = Room::github();
    let marked = r#""user":{"login":"us[bot]"},"body":"<!-- weighbridge:nightly -->\nold""#;
    let pull = format!(r#"{{"id":90,"number":8,"pull_request":{{}},{marked}}}"#);
    room.folder.write("first", &format!("[{pull}]"));
    room.run(&issue).exits(0).prints("created the issue 'nightly'");
    room.folder.write("first", &format!("[{pull},{{\"id\":91,\"number\":9,{marked}}}]"));
    room.run(&issue).exits(0).prints("updated the issue 'nightly'");
    let asked = room.asked();
    assert_eq!(asked[0], "GET repos/o/r/issues?state=open&per_page=100&page=1");
    assert!(asked[1].starts_with("POST repos/o/r/issues {"), "{asked:?}");
    assert!(asked[3].starts_with("PATCH repos/o/r/issues/9 {"), "{asked:?}");
    assert!(asked[3].contains(r#""title":"It got slower""#), "{asked:?}");
}

#[test]
fn gitlab_is_asked_the_same_by_its_own_paths() {
    let room = Room::gitlab();
    let api = "https://gitlab.example/api/v4/projects/12";
    room.run(&["comment", "report.md"]).exits(0).prints("created");
    let marked = r#"<!-- weighbridge:report -->\nold"#;
    let note = format!(r#"[{{"id":5,"author":{{"username":"us[bot]"}},"body":"{marked}"}}]"#);
    room.folder.write("first", &note);
    room.run(&["comment", "report.md"]).exits(0).prints("updated");
    let issue = format!(
        r#"[{{"id":80,"iid":4,"author":{{"username":"us[bot]"}},"description":"{marked}"}}]"#
    );
    room.folder.write("first", &issue);
    room.run(&["issue", "report.md", "--title", "t"]).exits(0).prints("updated");
    let asked = room.asked();
    assert_eq!(asked[0], format!("GET {api}/merge_requests/7/notes?sort=asc&per_page=100&page=1"));
    assert!(asked[1].starts_with(&format!("POST {api}/merge_requests/7/notes {{")), "{asked:?}");
    assert!(asked[3].starts_with(&format!("PUT {api}/merge_requests/7/notes/5 {{")), "{asked:?}");
    assert!(asked[5].starts_with(&format!("PUT {api}/issues/4 {{")), "{asked:?}");
    assert!(asked[5].contains(r##""description":"<!-- weighbridge:report -->\n# gate"##));
}

#[test]
fn what_the_tool_says_is_told_without_the_token() {
    for (room, tool) in [(Room::github(), "gh"), (Room::gitlab(), "curl")] {
        room.folder.write("broken", "what: s3cret\nnot allowed (HTTP 403)\n");
        let told = room.run(&["comment", "report.md"]).exits(1);
        assert!(!told.stderr.contains("s3cret"), "{}", told.stderr);
        told.complains(&format!("{tool} could not ")).complains("not allowed (HTTP 403)");
        let tokens = room.folder.read("tokens");
        assert!(tokens.contains("s3cret"), "the token did not arrive");
        assert!(!room.folder.read("argv").contains("s3cret"), "the token is an argument");
    }
}

#[test]
fn what_cannot_be_published_is_one_sentence_and_nobody_is_asked() {
    let mut room = Room::github();
    room.folder.write("empty.md", " \n");
    fs::write(room.folder.path("raw.md"), [0xff, 0xfe]).expect("written");
    room.run(&["comment", "void.md"]).exits(4).complains("no file void.md");
    room.run(&["comment", "empty.md"]).exits(4).complains("empty.md is empty");
    room.run(&["comment", "raw.md"]).exits(2).complains("raw.md can't be published");
    let issue = ["issue", "void.md", "--title", "t"];
    room.run(&issue).exits(4).complains("no file void.md");
    room.run(&[&issue[..], &["--if-exists"]].concat()).exits(0).prints("nothing to publish");
    assert_eq!(room.run(&["comment", "report.md", "--name", "a-->"]).code, Some(2));
    assert_eq!(room.run(&["issue", "report.md", "--title", "a\nb"]).code, Some(2));
    assert_eq!(room.run(&["issue", "report.md"]).code, Some(2));
    room.forge[3] = "GITHUB_REF=refs/heads/main".to_owned();
    room.run(&["comment", "report.md"]).exits(2).complains("no pull or merge request");
    room.forge[1] = "GH_TOKEN=".to_owned();
    room.run(&["comment", "report.md"]).exits(2).complains("GH_TOKEN is not set");
    room.forge.clear();
    room.run(&["comment", "report.md"]).exits(2).complains("this is neither");
    assert!(!room.folder.names().contains(&"asked".to_owned()));
}

#[test]
fn the_number_comes_from_the_event_where_the_ref_is_a_branch() {
    let mut room = Room::github();
    let event = room.folder.write("event.json", r#"{"pull_request":{"number":7}}"#);
    room.forge[3] = "GITHUB_REF=refs/heads/main".to_owned();
    room.forge.push(format!("GITHUB_EVENT_PATH={event}"));
    room.run(&["comment", "report.md"]).exits(0);
    assert!(room.asked()[0].contains(COMMENTS));
}

#[test]
fn a_text_over_the_limit_is_cut_to_it() {
    let room = Room::github();
    room.folder.write("report.md", &"ü and so on\n".repeat(10_000));
    room.run(&["comment", "report.md"]).exits(0);
    let asked = room.asked();
    let sent = asked[1].split_once(" {").map(|(_, sent)| format!("{{{sent}")).expect("sent");
    let sent: serde_json::Value = serde_json::from_str(&sent).expect("JSON");
    let body = sent["body"].as_str().expect("a body");
    assert!(body.chars().count() <= 65_536 && body.contains("Cut here"), "{}", body.len());
}

#[test]
fn an_answer_that_makes_no_sense_is_one_sentence() {
    let room = Room::github();
    room.folder.write("first", r#"{"message":"strange"}"#);
    room.run(&["comment", "report.md"]).exits(1).complains("the forge's answer is not a list");
    room.folder.write("first", "<html>");
    room.run(&["comment", "report.md"]).exits(1).complains("is no JSON");
    fs::remove_file(room.folder.path("bin/gh")).expect("removed");
    // Not on the rest of the path either.
    if !["/usr/bin/gh", "/bin/gh"].iter().any(|path| fs::exists(path).unwrap_or(true)) {
        room.run(&["comment", "report.md"]).exits(1).complains("failed to start 'gh'");
    }
}
