//! The terminal: colours only where somebody sees them, lines no longer than it is wide.

use clap::ValueEnum;
use std::io::{self, IsTerminal, Write};

/// Lines are laid out for this width when nothing else is known, and never for more.
const WIDTH: u16 = 100;
/// Narrower than this, lines break where the terminal breaks them.
const NARROWEST: u16 = 60;

/// When to use colours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub(super) enum ColorChoice {
    /// On a terminal, unless `NO_COLOR` is set.
    #[default]
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

impl ColorChoice {
    /// Whether to colour what goes to a stream.
    pub(super) fn applies_to(self, stream: &impl IsTerminal) -> bool {
        match self {
            Self::Auto => stream.is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|v| v.is_empty()),
            Self::Always => true,
            Self::Never => false,
        }
    }
}

/// How a piece of text looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Look {
    Plain,
    Bold,
    Dim,
    Good,
    Bad,
    Doubtful,
    Accent,
}

impl Look {
    const fn code(self) -> &'static str {
        match self {
            Self::Plain => "",
            Self::Bold => "1",
            Self::Dim => "2",
            Self::Good => "32",
            Self::Bad => "1;31",
            Self::Doubtful => "33",
            Self::Accent => "1;36",
        }
    }

    /// The same for a table cell.
    pub(super) fn cell(self, text: impl Into<String>) -> comfy_table::Cell {
        let cell = comfy_table::Cell::new_owned(text.into());
        match self {
            Self::Plain => cell,
            Self::Bold => cell.add_attribute(comfy_table::Attribute::Bold),
            Self::Dim => cell.add_attribute(comfy_table::Attribute::Dim),
            Self::Good => cell.fg(comfy_table::Color::DarkGreen),
            Self::Bad => cell.fg(comfy_table::Color::DarkRed).add_attribute(comfy_table::Attribute::Bold),
            Self::Doubtful => cell.fg(comfy_table::Color::DarkYellow),
            Self::Accent => cell.fg(comfy_table::Color::DarkCyan).add_attribute(comfy_table::Attribute::Bold),
        }
    }
}

/// How texts are laid out: what the pure rendering functions are told about the terminal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Style {
    /// Whether to colour.
    pub(super) color: bool,
    /// Characters in a line.
    pub(super) width: u16,
}

impl Style {
    /// For the standard output.
    pub(super) fn of_stdout(choice: ColorChoice) -> Self {
        Self { color: choice.applies_to(&io::stdout()), width: width() }
    }

    /// Without colours, at the usual width.
    #[cfg(test)]
    pub(super) const PLAIN: Self = Self { color: false, width: WIDTH };

    /// Text in a look.
    pub(super) fn paint(self, look: Look, text: &str) -> String {
        if !self.color || look == Look::Plain || text.is_empty() {
            return text.to_owned();
        }
        format!("\x1b[{}m{text}\x1b[0m", look.code())
    }

    /// Text in a look, filled with spaces to a width.
    pub(super) fn pad(self, look: Look, text: &str, width: usize) -> String {
        let fill = " ".repeat(width.saturating_sub(text.chars().count()));
        format!("{}{fill}", self.paint(look, text))
    }

    /// A borderless table for these columns.
    pub(super) fn table(self, header: &[&str]) -> comfy_table::Table {
        let mut table = comfy_table::Table::new();
        table.load_style(comfy_table::presets::NOTHING);
        table.set_content_arrangement(comfy_table::ContentArrangement::Dynamic).set_width(self.width);
        if self.color {
            table.enforce_styling();
        } else {
            table.force_no_tty();
        }
        if header.iter().any(|title| !title.is_empty()) {
            table.set_header(header.iter().map(|title| Look::Dim.cell(*title)).collect::<Vec<_>>());
        }
        table
    }

    /// The text broken into lines that fit after `indent`, each but the first beginning with that many spaces.
    pub(super) fn wrap(self, text: &str, indent: usize) -> String {
        let room = usize::from(self.width).saturating_sub(indent).max(20);
        let mut lines: Vec<String> = Vec::new();
        for paragraph in text.lines() {
            let mut line = String::new();
            for word in paragraph.split_whitespace() {
                if !line.is_empty() && line.chars().count() + 1 + word.chars().count() > room {
                    lines.push(std::mem::take(&mut line));
                }
                if !line.is_empty() {
                    line.push(' ');
                }
                line.push_str(word);
            }
            lines.push(line);
        }
        lines.join(&format!("\n{}", " ".repeat(indent)))
    }
}

/// The text of a table, without spaces at the ends of its lines.
pub(super) fn trimmed(table: &comfy_table::Table) -> String {
    let mut text = String::new();
    for line in table.lines() {
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

/// Writes text to the standard output, at once.
pub(super) fn print(text: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes())?;
    out.flush()
}

/// Tells a person something on the standard error. Nothing can be done when that fails.
pub(super) fn tell(text: &str) {
    let _ = writeln!(io::stderr().lock(), "{text}");
}

fn width() -> u16 {
    let size = rustix::termios::tcgetwinsize(io::stdout()).map(|size| size.ws_col).unwrap_or(0);
    if size == 0 { WIDTH } else { size.clamp(NARROWEST, WIDTH) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_are_left_out_when_nobody_sees_them() {
        assert_eq!(Style::PLAIN.paint(Look::Bad, "down"), "down");
        let coloured = Style { color: true, ..Style::PLAIN };
        assert_eq!(coloured.paint(Look::Bad, "down"), "\x1b[1;31mdown\x1b[0m");
        assert_eq!(coloured.paint(Look::Bad, ""), "");
    }

    #[test]
    fn padding_counts_what_is_seen() {
        let coloured = Style { color: true, ..Style::PLAIN };
        assert_eq!(coloured.pad(Look::Good, "up", 4), "\x1b[32mup\x1b[0m  ");
        assert_eq!(Style::PLAIN.pad(Look::Good, "längst", 4), "längst");
    }

    #[test]
    fn long_texts_are_broken_between_words_and_indented() {
        let narrow = Style { color: false, width: 30 };
        assert_eq!(narrow.wrap("one two three four five", 10), "one two three four\n          five");
    }
}
