//! The only way for text into the page.

use std::fmt::{self, Display, Write};

use serde::Serialize;

/// HTML under construction. Markup goes in as literals, everything else through [`Html::text`].
#[derive(Debug, Default)]
pub(crate) struct Html(String);

impl Html {
    /// Markup that this program wrote.
    pub(crate) fn raw(&mut self, markup: &str) -> &mut Self {
        self.0.push_str(markup);
        self
    }

    /// Text of whatever source, between tags or in a quoted attribute.
    pub(crate) fn text(&mut self, text: impl Display) -> &mut Self {
        write!(Escaping(&mut self.0), "{text}").expect("a String takes all that is written to it");
        self
    }

    /// `<tag>text</tag>`, with the tag's attributes as they are.
    pub(crate) fn tag(&mut self, open: &str, text: impl Display) -> &mut Self {
        let name = open.split(' ').next().unwrap_or(open);
        self.raw("<").raw(open).raw(">").text(text).raw("</").raw(name).raw(">")
    }

    /// A block of JSON that a script reads. Within strings, where alone they can stand, what ends
    /// the block or a line of script is written by its number.
    pub(crate) fn data(&mut self, data: &impl Serialize) -> &mut Self {
        let json = serde_json::to_string(data).expect("the data is made of plain values");
        self.raw("<script type=\"application/json\">");
        for c in json.chars() {
            match c {
                '<' | '>' | '&' | '\u{2028}' | '\u{2029}' => {
                    write!(self.0, "\\u{:04x}", c as u32).expect("a String takes all");
                }
                c => self.0.push(c),
            }
        }
        self.raw("</script>")
    }

    pub(crate) fn add(&mut self, other: Self) -> &mut Self {
        self.raw(&other.0)
    }

    pub(crate) fn finish(self) -> String {
        self.0
    }
}

struct Escaping<'a>(&'a mut String);

impl Write for Escaping<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for c in text.chars() {
            match c {
                '&' => self.0.push_str("&amp;"),
                '<' => self.0.push_str("&lt;"),
                '>' => self.0.push_str("&gt;"),
                '"' => self.0.push_str("&quot;"),
                '\'' => self.0.push_str("&#39;"),
                // Not allowed in HTML at all.
                c if c.is_control() && c != '\n' && c != '\t' => self.0.push('\u{fffd}'),
                c => self.0.push(c),
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn no_text_becomes_markup(text in ".*") {
            let mut html = Html::default();
            html.text(&text);
            let html = html.finish();
            let foreign = |c: char| matches!(c, '<' | '>' | '"' | '\'' | '\0');
            prop_assert!(!html.contains(foreign), "{html}");
        }

        #[test]
        fn no_text_ends_a_block_of_data(text in ".*(</script>|<!--|\u{2028})?.*") {
            let mut html = Html::default();
            html.data(&text);
            let html = html.finish();
            let json = html.strip_prefix("<script type=\"application/json\">");
            let json = json.and_then(|rest| rest.strip_suffix("</script>")).expect("the block");
            let foreign = |c: char| matches!(c, '<' | '>' | '&' | '\u{2028}' | '\u{2029}');
            prop_assert!(!json.contains(foreign), "{json}");
            prop_assert_eq!(serde_json::from_str::<String>(json).expect("JSON"), text);
        }
    }

    #[test]
    fn a_tag_closes_by_its_name() {
        let mut html = Html::default();
        html.tag("td class=\"n\"", "a < b");
        assert_eq!(html.finish(), "<td class=\"n\">a &lt; b</td>");
    }
}
