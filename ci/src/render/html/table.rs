//! Tables that sort: the script compares `data-value`, or `data-id` where a cell is a name.

use super::escape::Html;

/// Titles that sort are buttons, so that the keyboard reaches them.
pub(super) fn open_table(html: &mut Html, titles: &[(&str, bool)]) {
    html.raw("<div class=\"wide\" tabindex=\"0\"><table><thead><tr>");
    for (title, sorts) in titles {
        html.raw(if *sorts { "<th scope=\"col\">" } else { "<th scope=\"col\" class=\"mid\">" });
        if *sorts {
            html.raw("<button type=\"button\">").text(title).raw("</button>");
        } else {
            html.text(title);
        }
        html.raw("</th>");
    }
    html.raw("</tr></thead><tbody>");
}

/// A number, or an empty cell.
pub(super) fn cell(html: &mut Html, value: Option<f64>, print: impl Fn(f64) -> String) {
    match value {
        Some(value) => {
            html.raw("<td data-value=\"").text(value).raw("\">").text(print(value)).raw("</td>")
        }
        None => html.raw("<td class=\"none\"></td>"),
    };
}
