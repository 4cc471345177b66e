//! Settings that are secrets by their names.

/// Whether a setting of this name holds a secret, as far as a name shows it: `Password`, `db_pwd`, `Api-Key`, `Passwort`,
/// `clientSecret`. Case and separators do not count. A connector declares its secrets with the field type Password; this is
/// for those that it does not declare, or that a caller spells in another way.
pub fn is_secret_name(name: &str) -> bool {
    const PARTS: &[&str] = &[
        "password",
        "passwd",
        "passwort",
        "passord",
        "passphrase",
        "passcode",
        "pwd",
        "kennwort",
        "losenord",
        "adgangskode",
        "wachtwoord",
        "contrasena",
        "motdepasse",
        "secret",
        "token",
        "apikey",
        "accesskey",
        "authkey",
        "sharedkey",
        "privatekey",
        "signingkey",
        "encryptionkey",
        "accountkey",
        "credential",
        "authorization",
        "bearer",
        "connectionstring",
    ];
    // Letters with marks as those without, so far as the parts above have them.
    let plain = |c: char| match c {
        '\u{f6}' | '\u{f8}' => 'o',
        '\u{f1}' => 'n',
        c => c,
    };
    let lower = name.to_lowercase();
    let name: String = lower.chars().map(plain).filter(|c| c.is_alphanumeric()).collect();
    PARTS.iter().any(|part| name.contains(part)) || name.ends_with("pass") || matches!(&*name, "pw" | "pin")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secret_name_is_recognised_in_any_spelling() {
        for name in [
            "password",
            "Password",
            "PASSWORD",
            "pass_word",
            "Passwort",
            "Passord",
            "L\u{f6}senord",
            "PWD",
            "DbPwd",
            "ApiKey",
            "api-key",
            "API KEY",
            "secret",
            "ClientSecret",
            "token",
            "RefreshToken",
            "Pass",
            "dbpass",
            "PIN",
            "Credentials",
            "ConnectionString",
            "AccessKey",
            "Contrase\u{f1}a",
            " pw ",
        ] {
            assert!(is_secret_name(name), "{name}");
        }
        for name in
            ["Server", "Filename", "Port", "User", "Company", "Key", "KeyColumn", "Pinned", "Passenger", ""]
        {
            assert!(!is_secret_name(name), "{name}");
        }
    }
}
