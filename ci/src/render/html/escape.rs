//! The only way for text into the page.

use std::fmt::{self, Display, Write};

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
    }

    #[test]
    fn a_tag_closes_by_its_name() {
        let mut html = Html::default();
        html.tag("td class=\"n\"", "a < b");
        assert_eq!(html.finish(), "<td class=\"n\">a &lt; b</td>");
    }
}
