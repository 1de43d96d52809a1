//! `report.html` in a real browser: it runs without errors and without the network, sorts and
//! filters by mouse and by keyboard, draws in the light and in the dark, and prints.
//!
//! `cargo test --package weighbridge --features browser --test browser` leaves pictures of both
//! themes and the printed page in `target/perf/browser`.

#[path = "../front_door/mod.rs"]
mod front_door;

mod devtools;
mod pages;

use std::fs;
use std::path::{Path, PathBuf};

use devtools::Browser;
use pages::Pages;

/// Where the pictures go.
fn pictures() -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("in a workspace");
    let folder = root.join("target/perf/browser");
    fs::create_dir_all(&folder).expect("folder");
    folder
}

/// The ids of the verdicts that are shown, in order.
const SHOWN: &str = "[...document.querySelectorAll('#verdicts tbody tr:not([hidden])')]\
                     .map((row) => row.querySelector('[data-id]').dataset.id)";

fn texts(value: &serde_json::Value) -> Vec<String> {
    let all = value.as_array().expect("a list").iter();
    all.map(|one| one.as_str().expect("a text").to_owned()).collect()
}

#[test]
fn the_page_is_quiet_and_what_would_not_be_is_seen() {
    let pages = Pages::new();
    let mut browser = Browser::start();
    browser.open(&pages.pair());
    assert_eq!(browser.complaints(), [""; 0]);
    let loud = "<img src='http://127.0.0.1:9/x.png'><script>console.error('x'); nosuch()</script>";
    browser.open(&pages.write("loud.html", loud));
    assert!(browser.complaints().len() >= 3, "{:?}", browser.complaints());
}

#[test]
fn hostile_names_run_nothing_and_are_read_as_they_are() {
    let pages = Pages::new();
    let mut browser = Browser::start();
    browser.open(&pages.hostile());
    assert_eq!(browser.complaints(), [""; 0]);
    assert_eq!(browser.eval("window.evil === undefined && document.images.length"), 0);
    let shown = texts(&browser.eval(SHOWN));
    assert!(shown.iter().any(|id| id.contains(pages::EVIL)), "{shown:?}");
}

#[test]
fn a_click_on_a_title_sorts_and_a_second_one_turns_the_order() {
    let pages = Pages::new();
    let mut browser = Browser::start();
    browser.open(&pages.pair());
    let before = texts(&browser.eval(SHOWN));
    assert_eq!(before[0], "pool/cycle/4KiB", "the regression comes first");
    browser.click("#verdicts thead th:nth-child(1) button");
    let mut sorted = texts(&browser.eval(SHOWN));
    assert_eq!(sorted[..2], ["pool/cycle/1KiB", "pool/cycle/4KiB"]);
    assert_eq!(*sorted.last().expect("some"), "storage/write/16KiB", "by number, not by letter");
    browser.click("#verdicts thead th:nth-child(1) button");
    sorted.reverse();
    assert_eq!(texts(&browser.eval(SHOWN)), sorted);
    browser.click("#verdicts thead th:nth-child(4) button");
    let values = "[...document.querySelectorAll('#verdicts tbody tr')].map((row) => row.cells[3].dataset.value)";
    let values: Vec<f64> =
        texts(&browser.eval(values)).iter().map(|v| v.parse().expect("number")).collect();
    assert!(values.is_sorted(), "{values:?}");
}

#[test]
fn typing_filters_and_the_keyboard_reaches_everything() {
    let pages = Pages::new();
    let mut browser = Browser::start();
    browser.open(&pages.pair());
    let all = texts(&browser.eval(SHOWN)).len();
    browser.press("/", 191, Some("/"));
    browser.type_text("storage 16kib");
    assert_eq!(texts(&browser.eval(SHOWN)), ["storage/write/16KiB"]);
    assert_eq!(browser.eval("document.getElementById('found').value"), "1 found");
    assert_eq!(browser.eval("document.querySelectorAll('#why article:not([hidden])').length"), 0);
    browser.press("Escape", 27, None);
    assert_eq!(texts(&browser.eval(SHOWN)).len(), all);
    browser.eval("document.activeElement.blur()");
    let title = "document.activeElement.matches('#verdicts thead th:nth-child(1) button')";
    let reached = (0..60).any(|_| {
        browser.press("Tab", 9, None);
        browser.eval(title) == true
    });
    assert!(reached, "the tab key never came to the titles");
    browser.press("Enter", 13, Some("\r"));
    let sorted = "document.querySelector('#verdicts thead th').getAttribute('aria-sort')";
    assert_eq!(browser.eval(sorted), "ascending");
}

#[test]
fn a_word_of_the_verdict_shows_only_its_ids() {
    let pages = Pages::new();
    let mut browser = Browser::start();
    browser.open(&pages.pair());
    browser.click("button[data-word=regressed]");
    assert_eq!(texts(&browser.eval(SHOWN)), ["pool/cycle/4KiB"]);
    assert_eq!(
        browser.eval("document.querySelector('button[data-word=regressed]').ariaPressed"),
        "true"
    );
    browser.click("button[data-word=regressed]");
    assert!(texts(&browser.eval(SHOWN)).len() > 1);
}

#[test]
fn raw_data_opens_and_arrows_read_a_chart() {
    let pages = Pages::new();
    let mut browser = Browser::start();
    browser.open(&pages.pair());
    let seen = "document.querySelector('details.raw pre').checkVisibility()";
    assert_eq!(browser.eval(seen), false);
    browser.click("details.raw summary");
    assert_eq!(browser.eval(seen), true);
    browser.eval("document.querySelector('#why figure .plot').focus()");
    browser.press("ArrowRight", 39, None);
    browser.settle();
    let read = browser.eval("document.querySelector('#why figure .u-legend').textContent");
    assert!(read.as_str().expect("text").contains(" %"), "{read}");
}

#[test]
fn both_themes_are_drawn_and_differ() {
    let pages = Pages::new();
    let mut browser = Browser::start();
    browser.open(&pages.pair());
    let colours = "(() => { const c = document.querySelector('#why canvas'); \
                   const d = c.getContext('2d').getImageData(0, 0, c.width, c.height).data; \
                   const all = new Set(); for (let i = 0; i < d.length; i += 4) \
                   all.add(d[i] + ',' + d[i + 1] + ',' + d[i + 2] + ',' + d[i + 3]); return all.size; })()";
    let page = "getComputedStyle(document.body).backgroundColor";
    let mut seen = Vec::new();
    for theme in ["light", "dark"] {
        browser.theme(theme);
        browser.eval("document.querySelector('#why').scrollIntoView()");
        browser.settle();
        assert!(browser.eval(colours).as_u64().expect("a number") > 10, "{theme}: an empty chart");
        let picture = browser.screenshot();
        assert!(picture.starts_with(b"\x89PNG") && picture.len() > 20_000, "{}", picture.len());
        fs::write(pictures().join(format!("{theme}.png")), &picture).expect("written");
        seen.push((browser.eval(page), picture));
    }
    assert!(seen[0].0 != seen[1].0 && seen[0].1 != seen[1].1, "both themes look alike");
    assert_eq!(browser.complaints(), [""; 0]);
}

#[test]
fn on_paper_every_chart_is_drawn() {
    let pages = Pages::new();
    let mut browser = Browser::start();
    browser.open(&pages.pair());
    browser.theme("dark");
    let paper = browser.print();
    assert!(paper.starts_with(b"%PDF") && paper.len() > 20_000, "{}", paper.len());
    fs::write(pictures().join("paper.pdf"), &paper).expect("written");
    let empty = "[...document.querySelectorAll('figure')].filter((f) => f.offsetParent && !f.querySelector('canvas')).length";
    assert_eq!(browser.eval(empty), 0);
}

#[test]
fn without_javascript_all_numbers_are_there() {
    let pages = Pages::new();
    let mut browser = Browser::start();
    browser.call("Emulation.setScriptExecutionDisabled", serde_json::json!({ "value": true }));
    browser.load(&pages.pair());
    let root = browser.call("DOM.getDocument", serde_json::json!({ "depth": 0 }));
    let html =
        browser.call("DOM.getOuterHTML", serde_json::json!({ "nodeId": root["root"]["nodeId"] }));
    let html = html["outerHTML"].as_str().expect("text");
    assert!(!html.contains("<canvas"), "a script ran");
    for number in ["40.0 ns", "44.0 ns", "+10.00 %", "10,000", "1,234"] {
        assert!(html.contains(number), "{number}");
    }
}

/// How long the page takes is told and decides nothing.
#[test]
fn a_trend_of_ten_thousand_runs_is_drawn_and_can_be_read() {
    let pages = Pages::new();
    let page = pages.trend(10_000);
    let mut browser = Browser::start();
    browser.open(&page);
    let drawn = browser.eval("performance.now()").as_f64().expect("a time");
    let ready = "performance.getEntriesByType('navigation')[0].domInteractive";
    let ready = browser.eval(ready).as_f64().expect("a time");
    let told = format!(
        "10,000 runs, {} KiB: all is parsed after {ready:.0} ms, drawn and usable after {drawn:.0} ms",
        fs::metadata(&page).expect("there").len() / 1_024
    );
    println!("{told}");
    fs::write(pictures().join("trend.txt"), told).expect("written");
    browser.eval("document.querySelector('#trends').scrollIntoView()");
    browser.settle();
    fs::write(pictures().join("trend.png"), browser.screenshot()).expect("written");
    assert_eq!(browser.complaints(), [""; 0]);
    assert_eq!(browser.eval("document.querySelectorAll('#trends .runs tbody tr').length"), 10_000);
    assert_eq!(browser.eval("document.querySelectorAll('#trends figure canvas').length"), 1);
    browser.eval("document.querySelector('#trends .plot').focus()");
    browser.press("ArrowRight", 39, None);
    browser.settle();
    let read = browser.eval("document.querySelector('#trends .u-legend').textContent");
    assert!(read.as_str().expect("text").contains("000000000, 2026-01-01"), "{read}");
}
