//! What surrounds the host in production, as far as it can be checked here: the systemd unit and the configuration of IIS.

use std::process::Command;

use test_support::documentation::{code_blocks, read};
use test_support::tools;

/// Ten times the exposure above which the unit is not good enough, without and with the drop-in for workers that have users of
/// their own: `systemd-analyze` calls up to 4.0 OK.
const MOST_EXPOSURE: [&str; 2] = ["12", "22"];

#[test]
fn systemd_unit_is_hardened() {
    if !tools::installed(&["systemd-analyze"], &[], "systemd") {
        return;
    }
    let units = code_blocks(&read("docs/operators/systemd.md"), "ini");
    let [unit, drop_in] = &units[..] else { panic!("expected a unit and a drop-in, found {}", units.len()) };
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("erp-host.service");
    std::fs::write(&file, unit).unwrap();
    for most in MOST_EXPOSURE {
        let output = Command::new("systemd-analyze")
            .args(["security", "--offline=true", "--no-pager", "--threshold", most])
            .arg(&file)
            .output()
            .unwrap();
        let printed = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success(), "{printed}{}", String::from_utf8_lossy(&output.stderr));
        assert!(printed.contains("OK"), "{printed}");
        // It is read in the second round.
        let folder = folder.path().join("erp-host.service.d");
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join("workers.conf"), drop_in).unwrap();
    }
}

/// The elements of the example and their attributes, as the vendor's schema has them (`IIS_schema.xml` and
/// `rewrite_schema.xml` of IIS 10), with the values that are one of a few.
#[allow(clippy::type_complexity)] // A table, read where it stands.
const IIS: &[(&str, &[(&str, &[&str])])] = &[
    ("configuration", &[]),
    ("configuration/system.webServer", &[]),
    (
        "configuration/system.webServer/httpErrors",
        &[
            ("errorMode", &["DetailedLocalOnly", "Custom", "Detailed"]),
            ("existingResponse", &["Auto", "Replace", "PassThrough"]),
        ],
    ),
    ("configuration/system.webServer/security", &[]),
    (
        "configuration/system.webServer/security/requestFiltering",
        &[("allowDoubleEscaping", &["true", "false"]), ("allowHighBitCharacters", &["true", "false"])],
    ),
    (
        "configuration/system.webServer/security/requestFiltering/requestLimits",
        &[("maxAllowedContentLength", &[]), ("maxUrl", &[]), ("maxQueryString", &[])],
    ),
    ("configuration/system.webServer/rewrite", &[]),
    ("configuration/system.webServer/rewrite/rules", &[]),
    (
        "configuration/system.webServer/rewrite/rules/rule",
        &[
            ("name", &[]),
            ("enabled", &["true", "false"]),
            ("patternSyntax", &["ECMAScript", "Wildcard", "ExactMatch"]),
            ("stopProcessing", &["true", "false"]),
        ],
    ),
    (
        "configuration/system.webServer/rewrite/rules/rule/match",
        &[("url", &[]), ("ignoreCase", &["true", "false"]), ("negate", &["true", "false"])],
    ),
    ("configuration/system.webServer/rewrite/rules/rule/serverVariables", &[]),
    (
        "configuration/system.webServer/rewrite/rules/rule/serverVariables/set",
        &[("name", &[]), ("value", &[]), ("replace", &["true", "false"])],
    ),
    (
        "configuration/system.webServer/rewrite/rules/rule/action",
        &[
            ("type", &["None", "Rewrite", "Redirect", "CustomResponse", "AbortRequest"]),
            ("url", &[]),
            ("appendQueryString", &["true", "false"]),
            ("logRewrittenUrl", &["true", "false"]),
            ("statusCode", &[]),
            ("subStatusCode", &[]),
            ("statusReason", &[]),
            ("statusDescription", &[]),
        ],
    ),
];

#[test]
fn configuration_of_iis_is_within_its_schema() {
    let examples = code_blocks(&read("docs/operators/iis.md"), "xml");
    let [example] = &examples[..] else { panic!("expected one web.config, found {}", examples.len()) };
    let document = roxmltree::Document::parse(example).unwrap();
    for element in document.descendants().filter(|node| node.is_element()) {
        let mut path: Vec<_> =
            element.ancestors().filter(|node| node.is_element()).map(|node| node.tag_name().name()).collect();
        path.reverse();
        let path = path.join("/");
        let known = IIS.iter().find(|(known, _)| *known == path);
        let (_, attributes) = known.unwrap_or_else(|| panic!("the schema has no element {path}"));
        for attribute in element.attributes() {
            let (name, value) = (attribute.name(), attribute.value());
            let known = attributes.iter().find(|(known, _)| *known == name);
            let (_, values) = known.unwrap_or_else(|| panic!("{path} has no attribute {name}"));
            assert!(values.is_empty() || values.contains(&value), "{path}: {name} cannot be {value:?}");
        }
    }
}
