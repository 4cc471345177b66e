//! The report for CI systems.

use std::fmt::Write;

use super::{Report, Target};
use crate::rule::{Rule, Verdict, Weight};
use crate::rules::group_name;

impl Report {
    /// The report in JUnit's form: a test suite for each group, a test case for each rule. A warning passes,
    /// with its text as output.
    pub fn to_junit(&self) -> String {
        let mut out = String::from(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites name=\"erp-host verify\">\n",
        );
        let applicable =
            self.results.iter().filter(|(_, verdict)| !matches!(verdict, Verdict::NotApplicable));
        let applicable: Vec<&(Rule, Verdict)> = applicable.collect();
        let mut rest = applicable.as_slice();
        while let Some((first, _)) = rest.first() {
            let group = first.number / 100;
            let length = rest.iter().take_while(|(rule, _)| rule.number / 100 == group).count();
            let (suite, after) = rest.split_at(length);
            rest = after;
            let failed = |(rule, verdict): &&&(_, Verdict)| is_failure(rule, verdict);
            let failures = suite.iter().filter(failed).count();
            let skipped = suite.iter().filter(|(_, verdict)| matches!(verdict, Verdict::Skipped(_))).count();
            let name = escaped(group_name(first.number));
            let _ = writeln!(
                out,
                "  <testsuite name=\"{name}\" tests=\"{length}\" failures=\"{failures}\" skipped=\"{skipped}\">"
            );
            if first.number == applicable[0].0.number {
                out.push_str("    <properties>\n");
                self.write_properties(&mut out);
                out.push_str("    </properties>\n");
            }
            for (rule, verdict) in suite {
                let case = escaped(&format!("{} {}", rule.number, rule.text));
                let _ = write!(out, "    <testcase classname=\"{name}\" name=\"{case}\"");
                let _ = match verdict {
                    Verdict::Passed | Verdict::NotApplicable => writeln!(out, "/>"),
                    Verdict::Skipped(why) => {
                        writeln!(out, "><skipped message=\"{}\"/></testcase>", escaped(why))
                    }
                    Verdict::Failed(findings) => {
                        let texts: Vec<&str> = findings.iter().map(|finding| finding.text.as_str()).collect();
                        let all = escaped(&format!("{}\nsource: {}", texts.join("\n"), rule.source));
                        let first = escaped(texts.first().copied().unwrap_or_default());
                        match rule.weight {
                            Weight::Must => {
                                writeln!(out, "><failure message=\"{first}\">{all}</failure></testcase>")
                            }
                            Weight::Should => writeln!(out, "><system-out>{all}</system-out></testcase>"),
                        }
                    }
                };
            }
            out.push_str("  </testsuite>\n");
        }
        out.push_str("</testsuites>\n");
        out
    }

    /// The contract of the service, as properties of the first suite.
    fn write_properties(&self, out: &mut String) {
        let Target::Service { contract, .. } = &self.target else { return };
        let mut property = |name: &str, value: &str| {
            let value = escaped(value);
            let _ = writeln!(out, "      <property name=\"contract.{name}\" value=\"{value}\"/>");
        };
        property("profile", &contract.profile);
        property("source", contract.source);
        property("reply_order", contract.order);
        property("nearest", &contract.comparison.builtin);
        let all = [("difference", &contract.comparison.differences), ("unknown", &contract.unknown)];
        for (name, sentences) in all {
            sentences.iter().for_each(|sentence| property(name, sentence));
        }
        if let Some(reason) = &contract.reason {
            property("reason", reason);
        }
    }
}

fn is_failure(rule: &Rule, verdict: &Verdict) -> bool {
    rule.weight == Weight::Must && matches!(verdict, Verdict::Failed(_))
}

/// Text for XML 1.0, which has no form for control characters.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\n' => out.push_str("&#10;"),
            '\t' => out.push(c),
            c if c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}') => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
    out
}
