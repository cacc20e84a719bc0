//! Every body that is published or stored, as it stands in `tests/golden`: a change of a public format shows there.

#![expect(clippy::unwrap_used, reason = "a test stops at what must not happen")]

mod wire_support;

use gatewatch::wire::advisory::{Advisories, Advisory, Alert, Event};
use gatewatch::wire::{record, schema, wish};
use serde_json::{Map, Value, json};
use std::path::PathBuf;
use wire_support::{alerts, at, down_both, events, forgets, link, silences, snapshot};

fn advisories() -> Advisories {
    Advisories::new("gatewatch", "home 1").unwrap()
}

/// Compares with `tests/golden/<name>`, or rewrites it when `UPDATE_GOLDEN` is set.
fn assert_golden(name: &str, actual: &Value) {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name);
    let actual = format!("{}\n", serde_json::to_string_pretty(actual).unwrap());
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, &actual).unwrap();
    }
    let expected = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        actual == expected,
        "tests/golden/{name} differs: if the change is wanted, run the test again with UPDATE_GOLDEN=1, look at the \
         difference and commit it.\n--- expected\n{expected}\n--- actual\n{actual}"
    );
}

fn parsed(body: &[u8]) -> Value {
    serde_json::from_slice(body).unwrap()
}

fn whole(advisory: &Advisory) -> Value {
    let headers = advisory.headers.iter().map(|(name, value)| ((*name).to_owned(), json!(value)));
    json!({
        "subject": advisory.subject,
        "headers": headers.collect::<Map<_, _>>(),
        "body": parsed(&advisory.body),
    })
}

/// Checks a body against the schema that ships with the program.
fn assert_valid(schema_name: &str, body: &Value) {
    let (_, schema) = schema::all().into_iter().find(|(name, _)| *name == schema_name).unwrap();
    let validator = jsonschema::draft7::options().should_validate_formats(true).build(&schema).unwrap();
    let errors: Vec<_> = validator.iter_errors(body).map(|error| error.to_string()).collect();
    assert!(errors.is_empty(), "{schema_name}: {errors:?}");
}

#[test]
fn alerts_are_as_recorded_fit_their_schema_and_read_back() {
    for (name, event) in alerts() {
        let advisory = advisories().alert(&event);
        assert_golden(&format!("alert/{name}.json"), &whole(&advisory));
        assert_valid("alert", &parsed(&advisory.body));
        let alert = Alert::read(&advisory.body).unwrap();
        assert_eq!(alert.to_model(), event, "{name}");
        assert_eq!(serde_json::to_vec(&alert).unwrap(), advisory.body, "{name}");
    }
}

#[test]
fn events_are_as_recorded_fit_their_schema_and_read_back() {
    for (name, transition) in events() {
        let advisory = advisories().event(&transition);
        assert_golden(&format!("event/{name}.json"), &whole(&advisory));
        assert_valid("event", &parsed(&advisory.body));
        let event = Event::read(&advisory.body).unwrap();
        assert_eq!(serde_json::to_vec(&event).unwrap(), advisory.body, "{name}");
    }
}

#[test]
fn records_are_as_recorded_fit_their_schema_and_read_back() {
    let stored = record::write_snapshot(&snapshot());
    assert_golden("record/snapshot.json", &parsed(&stored));
    assert_valid("record.snapshot", &parsed(&stored));
    assert_eq!(record::read_snapshot(&stored).unwrap(), snapshot());

    let stored = record::write_incident(&down_both());
    assert_golden("record/incident.json", &parsed(&stored));
    assert_valid("record.incident", &parsed(&stored));
    assert_eq!(record::read_incident(&stored).unwrap(), down_both());

    for (name, silence) in silences() {
        let stored = wish::write_silence(&silence);
        assert_golden(&format!("record/{name}.json"), &parsed(&stored));
        assert_valid("record.silence", &parsed(&stored));
        assert_eq!(wish::read_silence(&stored).unwrap(), silence);
    }
    for (name, request) in forgets() {
        let stored = wish::write_forget(&request);
        assert_golden(&format!("record/{name}.json"), &parsed(&stored));
        assert_valid("record.forget", &parsed(&stored));
        assert_eq!(wish::read_forget(&stored).unwrap(), request);
    }

    let links = [link("east", "west"), link("west", "east")];
    let stored = record::write_links(&links, at(0));
    assert_golden("record/links.json", &parsed(&stored));
    assert_valid("record.links", &parsed(&stored));
    assert_eq!(record::read_links(&stored).unwrap(), links);
}

#[test]
fn schemas_are_as_recorded() {
    let schemas = schema::all();
    assert!(schemas.is_sorted_by_key(|(name, _)| *name));
    for (name, schema) in schemas {
        jsonschema::draft7::meta::validate(&schema).unwrap();
        assert_golden(&format!("schema/{name}.json"), &schema);
    }
}

#[test]
fn a_schema_refuses_what_gatewatch_would_not_write() {
    let (_, event) = alerts().swap_remove(0);
    let good = parsed(&advisories().alert(&event).body);
    let (_, schema) = schema::all().into_iter().find(|(name, _)| *name == "alert").unwrap();
    let validator = jsonschema::draft7::options().should_validate_formats(true).build(&schema).unwrap();
    assert!(validator.is_valid(&good));
    for (field, bad) in [
        ("kind", json!("gateway_odd")),
        ("type", json!("io.nats.jetstream.advisory.v1.api_audit")),
        ("timestamp", json!("yesterday")),
        ("revision", json!(-1)),
        ("evidence", json!([{ "at": "2026-11-22T15:53:38Z", "says": "odd", "text": "" }])),
    ] {
        let mut damaged = good.clone();
        damaged[field] = bad;
        assert!(!validator.is_valid(&damaged), "{field}");
    }
}
