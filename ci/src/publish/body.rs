//! What is published: a marker by which it is found again, and a text that fits.

/// What a reader is told where the forge takes less than there is.
const CUT: &str = "_Cut here to what fits; all of it is among the artefacts of the run._";

/// The first line of what goes by this name. Readers do not see it.
pub(crate) fn marker(name: &str) -> String {
    format!("<!-- weighbridge:{name} -->")
}

/// A name that can stand in a marker.
///
/// # Errors
/// In words for the user.
pub(crate) fn name(text: &str) -> Result<String, String> {
    let fine = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    let wrong =
        text.is_empty() || text.len() > 40 || text.contains("--") || !text.chars().all(fine);
    if wrong {
        Err("write at most 40 small letters, digits and single hyphens".to_owned())
    } else {
        Ok(text.to_owned())
    }
}

/// The marker, the text, and no more than `max` characters: what is too long is cut at a line, and
/// says so above itself, where no table or block of code can swallow it.
pub(crate) fn fit(marker: &str, text: &str, max: usize) -> String {
    let whole = format!("{marker}\n{}\n", text.trim_end());
    if whole.chars().count() <= max {
        return whole;
    }
    let mut kept = format!("{marker}\n{CUT}\n\n");
    let mut length = kept.chars().count();
    for line in text.lines() {
        length += line.chars().count() + 1;
        if length > max {
            break;
        }
        kept.extend([line, "\n"]);
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_fits_is_whole_behind_its_marker() {
        assert_eq!(
            fit(&marker("gate"), "# a\n\nb\n\n", 40),
            "<!-- weighbridge:gate -->\n# a\n\nb\n"
        );
    }

    #[test]
    fn what_is_too_long_is_cut_at_a_line_and_says_so() {
        let text = "grüße\n".repeat(1000);
        let told = fit(&marker("gate"), &text, 200);
        assert!(told.chars().count() <= 200 && told.chars().count() > 190, "{told}");
        assert!(told.starts_with("<!-- weighbridge:gate -->\n_Cut here"), "{told}");
        assert!(told.ends_with("\ngrüße\n"), "{told}");
        let one = fit(&marker("gate"), &"x".repeat(1000), 200);
        assert!(one.ends_with("run._\n\n"), "{one}");
    }

    #[test]
    fn a_name_cannot_end_the_marker() {
        assert_eq!(name("gate-2"), Ok("gate-2".to_owned()));
        for wrong in ["", "a b", "a-->", "a--b", "A", "a\n", &"x".repeat(41)] {
            assert!(name(wrong).is_err(), "{wrong}");
        }
    }
}
