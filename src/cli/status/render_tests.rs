use super::*;
use crate::cli::samples::{assert_golden, at, degraded, healthy, partition};

#[test]
fn a_healthy_mesh_fits_on_half_a_screen() {
    let text = render(&healthy(), None, at(61.2), true, Style::PLAIN);
    assert!(text.lines().all(|line| line.chars().count() <= 100), "{text}");
    assert_golden("status_healthy", &text);
}

#[test]
fn a_partition_shows_in_the_matrix_and_below() {
    assert_golden("status_partition", &render(&partition(), None, at(64.0), true, Style::PLAIN));
}

#[test]
fn what_is_cut_in_part_lost_or_not_known_is_told_apart() {
    assert_golden("status_degraded", &render(&degraded(), None, at(62.0), true, Style::PLAIN));
}

#[test]
fn an_old_view_is_marked_as_old() {
    assert_golden("status_stale", &render(&healthy(), None, at(460.0), false, Style::PLAIN));
}

#[test]
fn colours_change_nothing_but_colours() {
    let coloured = render(&partition(), None, at(64.0), true, Style { color: true, ..Style::PLAIN });
    assert!(coloured.contains("\x1b["));
    let mut bare = String::new();
    let mut rest = coloured.as_str();
    while let Some((before, after)) = rest.split_once("\x1b[") {
        bare.push_str(before);
        rest = after.split_once('m').unwrap().1;
    }
    bare.push_str(rest);
    let squeezed = |text: &str| text.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
    assert_eq!(squeezed(&bare), squeezed(&render(&partition(), None, at(64.0), true, Style::PLAIN)));
}

#[test]
fn who_speaks_is_named_at_the_top() {
    let lease = Lease { instance: "east-a".to_owned(), process: "01K".to_owned(), since: at(5.0).into() };
    let text = render(&healthy(), Some(&lease), at(61.2), true, Style::PLAIN);
    let named = text.lines().find(|line| line.starts_with("gatewatch \"east-a\" speaks, since ")).unwrap();
    assert_eq!(
        text.replacen(&format!("{named}\n"), "", 1),
        render(&healthy(), None, at(61.2), true, Style::PLAIN)
    );
}
