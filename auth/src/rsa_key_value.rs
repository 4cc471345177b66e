//! Private keys in the form that .NET writes and SuperOffice issues: `RSAKeyValue` in XML.

use aws_lc_rs::rsa::{KeyPair, KeyPairComponents, PublicKeyComponents};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use contract::xml::{Limits, Token, Tokenizer};
use zeroize::Zeroizing;

/// The members of a key with its private parts.
const MEMBERS: [&str; 8] = ["Modulus", "Exponent", "P", "Q", "DP", "DQ", "InverseQ", "D"];

/// Reads a key from XML.
///
/// # Errors
/// It is no `RSAKeyValue`, has no private parts, or they do not fit together. The text quotes nothing of the file.
pub(super) fn read(xml: &str) -> Result<KeyPair, String> {
    let mut members: [Option<Zeroizing<Vec<u8>>>; MEMBERS.len()] = Default::default();
    let mut tokens = Tokenizer::new(xml, Limits::default());
    let mut path: Vec<&str> = Vec::new();
    let mut text = Zeroizing::new(String::with_capacity(2048));
    // An error of the tokenizer may quote the file.
    while let Some(token) = tokens.next().map_err(|error| format!("it is no XML, at byte {}", error.at))? {
        match token {
            Token::Start(name) => {
                path.push(name);
                text.clear();
                if path.len() == 1 && name != "RSAKeyValue" {
                    return Err(format!("its root element is <{name}>, expected <RSAKeyValue>"));
                }
            }
            Token::Text(part) => text.extend(part.chars().filter(|c| !c.is_ascii_whitespace())),
            Token::End => {
                let member = path.pop().filter(|_| path.len() == 1);
                let place = member.and_then(|member| MEMBERS.iter().position(|known| *known == member));
                if let (Some(member), Some(place)) = (member, place) {
                    let bytes =
                        STANDARD.decode(text.as_bytes()).map_err(|_| format!("<{member}> is no Base64"))?;
                    if members[place].replace(Zeroizing::new(bytes)).is_some() {
                        return Err(format!("<{member}> stands in it twice"));
                    }
                }
            }
            Token::Instruction(_) => {}
        }
    }
    if let Some(missing) = members.iter().position(Option::is_none) {
        let hint = if missing > 1 { "; this is a public key, the private one is needed" } else { "" };
        return Err(format!("<{}> is missing{hint}", MEMBERS[missing]));
    }
    let member = |place: usize| members[place].as_ref().map_or(&[][..], |bytes| bytes.as_slice());
    let components = KeyPairComponents {
        public_key: PublicKeyComponents { n: without_zeros(member(0)), e: without_zeros(member(1)) },
        p: member(2),
        q: member(3),
        dP: member(4),
        dQ: member(5),
        qInv: member(6),
        d: member(7),
    };
    KeyPair::from_components(&components)
        .map_err(|_| "its parts do not fit together, or it has less than 2048 bits".to_owned())
}

/// A number without leading zeros.
pub(super) fn without_zeros(number: &[u8]) -> &[u8] {
    let zeros = number.iter().take_while(|&&byte| byte == 0).count();
    &number[zeros..]
}
