//! The names of a client certificate.

use std::fmt;

use x509_parser::extensions::GeneralName;
use x509_parser::prelude::{FromDer, X509Certificate};

/// The names of a client certificate, whose chain was verified: those of its subject alternative name (DNS, mail, URI),
/// and its subject's common name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CertificateNames(Vec<String>);

impl CertificateNames {
    /// The names of a certificate in DER; none if it cannot be parsed.
    pub fn of(der: &[u8]) -> Self {
        let Ok((_, certificate)) = X509Certificate::from_der(der) else {
            return CertificateNames(Vec::new());
        };
        let mut names = Vec::new();
        if let Ok(Some(alternative)) = certificate.subject_alternative_name() {
            names.extend(alternative.value.general_names.iter().filter_map(|name| match name {
                GeneralName::DNSName(name) | GeneralName::RFC822Name(name) | GeneralName::URI(name) => {
                    Some((*name).to_owned())
                }
                _ => None,
            }));
        }
        let common = certificate.subject().iter_common_name().filter_map(|name| name.as_str().ok());
        names.extend(common.map(str::to_owned));
        // They appear in the log.
        names.retain(|name| !name.is_empty() && name.chars().all(|c| !c.is_control()) && name.len() <= 256);
        CertificateNames(names)
    }

    /// The first of its names that is allowed; without a list every certificate is.
    pub(super) fn find(&self, allowed: &[String]) -> Option<&str> {
        if allowed.is_empty() {
            return Some(self.0.first().map_or("unnamed", String::as_str));
        }
        let is_allowed = |name: &&String| allowed.iter().any(|allowed| allowed.eq_ignore_ascii_case(name));
        self.0.iter().find(is_allowed).map(String::as_str)
    }
}

impl fmt::Display for CertificateNames {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() { f.write_str("nobody") } else { f.write_str(&self.0.join(", ")) }
    }
}
