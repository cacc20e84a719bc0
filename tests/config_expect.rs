//! What can be written under `[expect]`, and what cannot.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use gatewatch::config::error::ConfigErrors;
use gatewatch::config::settings::Settings;
use gatewatch::model::ids::Link;

fn load(text: &str, env: &[(&str, &str)]) -> Result<Settings, ConfigErrors> {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("gatewatch.toml");
    std::fs::write(&file, text).unwrap();
    let env = env.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    Settings::load(Some(&file), env, &[])
}

fn link(from: &str, to: &str) -> Link {
    Link { from: from.into(), to: to.into() }
}

#[test]
fn links_that_must_or_must_not_exist_are_written_as_arrows_or_tables() {
    let settings = load(
        "[expect]\nlinks = [\"east -> west\", \"east <-> north\", { from = \"a->b\", to = \"c,d\" }]\n\
         forbidden = [\"west -> north\"]\n",
        &[],
    )
    .unwrap();
    let expected = [link("a->b", "c,d"), link("east", "north"), link("east", "west"), link("north", "east")];
    assert_eq!(settings.expect.required, expected);
    assert_eq!(settings.expect.forbidden, [link("west", "north")]);
    let settings = load("", &[("GATEWATCH_EXPECT__LINKS", "east -> west, west <-> north")]).unwrap();
    assert_eq!(
        settings.expect.required,
        [link("east", "west"), link("north", "west"), link("west", "north")]
    );
}

#[test]
fn links_that_make_no_sense_are_named() {
    for (text, said) in [
        ("links = [\"east->west\"]", "spaces around the arrow"),
        ("links = [\"east -> east\"]", "to itself"),
        ("links = [\"east - west\"]", "east -> west"),
        ("links = [7]", "got a number"),
        ("links = \"east -> west\"", "expected a list of links"),
        ("links = [{ from = \"east\" }]", "without to"),
        ("links = [{ from = \"east\", to = \"west\", two = \"x\" }]", "\"two\""),
        ("links = [{ from = \"east\", to = \"we st\" }]", "to of a link"),
        ("links = [\"a -> b\"]\nforbidden = [\"b <-> a\"]", "both wanted and forbidden"),
    ] {
        let errors = load(&format!("[expect]\n{text}\n"), &[]).unwrap_err().to_string();
        assert!(errors.contains("expect.") && errors.contains(said), "{text}: {errors}");
    }
}
