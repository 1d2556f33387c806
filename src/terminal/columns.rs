//! Lists in columns.

use std::io::{self, Write};
use std::ops::Range;

use anstyle::{AnsiColor, Effects, Style};
use comfy_table::{
    Attribute, Cell, CellAlignment, Color, ColumnConstraint, ContentArrangement, LineStyle, Table, presets,
};

use super::{Charset, Paint, harmless};

/// A list with a header and columns, of which only the last one is wrapped.
pub(crate) struct Columns {
    table: Table,
    paint: Paint,
}

impl Columns {
    /// Creates a list without rows. Without a width nothing is wrapped.
    pub(crate) fn new(headers: &[&str], paint: Paint, width: Option<usize>) -> Self {
        let mut table = Table::new();
        table.load_style(presets::NOTHING).set_header(headers.iter().map(|header| Cell::new(header.to_uppercase())));
        let last = headers.len().saturating_sub(1);
        for (index, column) in table.column_iter_mut().enumerate() {
            column.set_padding((0, if index < last { 2 } else { 0 }));
            if index < last {
                column.set_constraint(ColumnConstraint::ContentWidth);
            }
        }
        match width {
            Some(width) => {
                table.set_content_arrangement(ContentArrangement::Dynamic);
                table.set_width(u16::try_from(width).unwrap_or(u16::MAX));
            }
            None => drop(table.set_content_arrangement(ContentArrangement::Disabled)),
        }
        match paint {
            Paint::Styled => table.enforce_styling(),
            Paint::Plain => table.force_no_tty(),
        };
        Self { table, paint }
    }

    /// Puts one blank between columns in place of two, where there is little room.
    pub(crate) fn close(mut self) -> Self {
        let columns = self.table.column_count();
        for column in self.table.column_iter_mut().take(columns.saturating_sub(1)) {
            column.set_padding((0, 1));
        }
        self
    }

    /// Draws a line below the header.
    pub(crate) fn ruled(mut self, charset: Charset) -> Self {
        let line = match charset {
            Charset::Unicode => '─',
            Charset::Ascii => '-',
        };
        self.table.style_mut().header_separator = LineStyle::none().fill(line);
        self
    }

    /// Aligns columns to the right, as numbers are.
    pub(crate) fn right(mut self, columns: Range<usize>) -> Self {
        for index in columns {
            if let Some(column) = self.table.column_mut(index) {
                column.set_cell_alignment(CellAlignment::Right);
            }
        }
        self
    }

    /// Returns the number of columns of the screen that the widest line takes.
    pub(crate) fn width(&self) -> usize {
        self.table.lines().map(|line| super::width(line.trim_end())).max().unwrap_or(0)
    }

    /// Adds a row, each cell with its style.
    pub(crate) fn row<T: AsRef<str>>(&mut self, cells: impl IntoIterator<Item = (Style, T)>) {
        let paint = self.paint;
        self.table.add_row(cells.into_iter().map(|(style, text)| {
            let cell = Cell::new(harmless(text.as_ref()));
            if paint == Paint::Styled { styled(cell, style) } else { cell }
        }));
    }

    /// Adds a row whose last cell has these lines, which are not wrapped.
    pub(crate) fn row_of_lines<T: AsRef<str>>(
        &mut self,
        cells: impl IntoIterator<Item = (Style, T)>,
        lines: &[String],
    ) {
        let paint = self.paint;
        let cell = |(style, text): (Style, T)| {
            let cell = Cell::new(harmless(text.as_ref()));
            if paint == Paint::Styled { styled(cell, style) } else { cell }
        };
        let last = lines.iter().map(|line| harmless(line)).collect::<Vec<_>>().join("\n");
        self.table.add_row(cells.into_iter().map(cell).chain([Cell::new(last)]));
    }

    /// Writes the list, without blanks at the ends of lines.
    pub(crate) fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        self.table.lines().try_for_each(|line| writeln!(out, "{}", line.trim_end()))
    }
}

fn styled(mut cell: Cell, style: Style) -> Cell {
    if style.get_effects().contains(Effects::BOLD) {
        cell = cell.add_attribute(Attribute::Bold);
    }
    if style.get_effects().contains(Effects::DIMMED) {
        cell = cell.add_attribute(Attribute::Dim);
    }
    let color = match style.get_fg_color() {
        Some(anstyle::Color::Ansi(AnsiColor::Red | AnsiColor::BrightRed)) => Color::DarkRed,
        Some(anstyle::Color::Ansi(AnsiColor::Green | AnsiColor::BrightGreen)) => Color::DarkGreen,
        Some(anstyle::Color::Ansi(AnsiColor::Yellow | AnsiColor::BrightYellow)) => Color::DarkYellow,
        Some(anstyle::Color::Ansi(AnsiColor::Cyan | AnsiColor::BrightCyan)) => Color::DarkCyan,
        Some(anstyle::Color::Ansi(AnsiColor::Blue | AnsiColor::BrightBlue)) => Color::DarkBlue,
        Some(anstyle::Color::Ansi(AnsiColor::Magenta | AnsiColor::BrightMagenta)) => Color::DarkMagenta,
        _ => return cell,
    };
    cell.fg(color)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(paint: Paint, width: Option<usize>) -> String {
        let mut columns = Columns::new(&["id", "state", "title"], paint, width);
        let red = AnsiColor::Red.on_default();
        columns.row([(Style::new().bold(), "first"), (red, "failed"), (Style::new(), "a title of several words")]);
        columns.row([(Style::new(), "2"), (Style::new(), ""), (Style::new(), "\u{202e}turned\n::error")]);
        let mut out = Vec::new();
        columns.write(&mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn the_last_column_is_wrapped_and_the_others_are_not() {
        let wide = list(Paint::Plain, None);
        assert_eq!(
            wide,
            "ID     STATE   TITLE\nfirst  failed  a title of several words\n2              \\u{202e}turned\\n::error\n"
        );
        let narrow = list(Paint::Plain, Some(30));
        assert!(
            narrow.starts_with("ID     STATE   TITLE\nfirst  failed  a title of\n               several words\n"),
            "{narrow}"
        );
    }

    #[test]
    fn styles_are_written_only_where_asked() {
        let styled = list(Paint::Styled, None);
        assert!(styled.contains("\u{1b}[1m") && styled.contains("\u{1b}[38;5;1m"), "{styled:?}");
        assert!(!list(Paint::Plain, None).contains('\u{1b}'));
    }
}
