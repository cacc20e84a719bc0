//! The unit file in `examples`: what systemd thinks of it, or, where there is no systemd, that it says nothing but what is known.

#![expect(clippy::unwrap_used, reason = "a file that cannot be read fails the test")]

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

/// What must be in it, for what the program promises.
const NEEDED: &[&str] = &[
    "Type=notify",
    "WatchdogSec=30s",
    "Restart=always",
    "TimeoutStartSec=infinity",
    "TimeoutStopSec=15s",
    "StateDirectory=gatewatch",
    "DynamicUser=yes",
    "NoNewPrivileges=yes",
    "ProtectSystem=strict",
    "LoadCredential=sys.creds:/etc/gatewatch/sys.creds",
    "LoadCredential=alerts.creds:/etc/gatewatch/alerts.creds",
    "Environment=GATEWATCH_SYSTEM__CREDS=%d/sys.creds",
    "Environment=GATEWATCH_ALERTS__CREDS=%d/alerts.creds",
];

/// Every key that it may have.
const KNOWN: &[&str] = &[
    "Description",
    "Wants",
    "After",
    "StartLimitIntervalSec",
    "Type",
    "ExecStart",
    "Restart",
    "RestartSec",
    "TimeoutStartSec",
    "WatchdogSec",
    "TimeoutStopSec",
    "LoadCredential",
    "Environment",
    "StateDirectory",
    "StateDirectoryMode",
    "DynamicUser",
    "UMask",
    "NoNewPrivileges",
    "CapabilityBoundingSet",
    "AmbientCapabilities",
    "ProtectSystem",
    "ProtectHome",
    "PrivateTmp",
    "PrivateDevices",
    "PrivateUsers",
    "ProtectClock",
    "ProtectHostname",
    "ProtectKernelLogs",
    "ProtectKernelModules",
    "ProtectKernelTunables",
    "ProtectControlGroups",
    "ProtectProc",
    "ProcSubset",
    "RemoveIPC",
    "RestrictAddressFamilies",
    "RestrictNamespaces",
    "RestrictRealtime",
    "RestrictSUIDSGID",
    "LockPersonality",
    "MemoryDenyWriteExecute",
    "SystemCallArchitectures",
    "SystemCallFilter",
    "SystemCallErrorNumber",
    "Nice",
    "CPUWeight",
    "OOMScoreAdjust",
    "MemoryMax",
    "WantedBy",
];

fn unit() -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/gatewatch.service")).unwrap()
}

#[test]
fn the_unit_has_what_the_program_needs_and_no_key_that_is_not_known() {
    let unit = unit();
    let lines: Vec<&str> =
        unit.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#')).collect();
    for needed in NEEDED {
        assert!(lines.contains(needed), "{needed} is missing");
    }
    let known: BTreeSet<&str> = KNOWN.iter().copied().collect();
    for line in lines.iter().filter(|line| !line.starts_with('[')) {
        let (key, _) = line.split_once('=').unwrap_or_else(|| panic!("{line} is no setting"));
        assert!(known.contains(key), "{key} is not known");
    }
}

#[test]
fn systemd_finds_nothing_wrong_with_it() {
    if Command::new("systemd-analyze").arg("--version").output().is_err() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("gatewatch.service");
    let program = env!("CARGO_BIN_EXE_gatewatch");
    std::fs::write(&path, unit().replace("/usr/local/bin/gatewatch", program)).unwrap();
    let verified = Command::new("systemd-analyze").arg("verify").arg(&path).output().unwrap();
    let said = String::from_utf8_lossy(&verified.stderr).into_owned();
    assert!(verified.status.success() && !said.contains("gatewatch.service"), "{said}");
}
