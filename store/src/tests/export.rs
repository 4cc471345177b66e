//! Export and import of connections, and the files that must be refused.

use super::*;

const PASSPHRASE: &str = "correct horse battery stæple";

async fn stored() -> (tempfile::TempDir, ConnectionRepository) {
    let folder = tempfile::tempdir().unwrap();
    let stored = ConnectionRepository::open(folder.path(), None, IfMissing::Create).await.unwrap();
    (folder, stored)
}

/// A store with settings that are hard to encode.
async fn filled() -> (tempfile::TempDir, ConnectionRepository) {
    let (folder, stored) = stored().await;
    let settings: Settings = [
        ("Server", Some("srv \0\u{1}\n\u{2028}\"\\🫐")),
        ("Password", Some("hunter2")),
        ("Token", None),
        ("Empty", Some("")),
        ("Null", None),
    ]
    .into_iter()
    .collect();
    stored.save(guid(1), "Excel", &settings, &["Password", "Token"], &by()).await.unwrap();
    stored.save(guid(2), "Øvrig", &Settings::default(), &[], &by()).await.unwrap();
    (folder, stored)
}

async fn contents(stored: &ConnectionRepository) -> Vec<(Guid, String, Settings, Vec<bool>)> {
    let sealed = stored.store().all().await.unwrap();
    sealed
        .into_iter()
        .map(|connection| {
            let secrets = connection.settings.iter().map(SealedSetting::is_secret).collect();
            let stored = stored.unseal(connection).unwrap();
            (stored.guid, stored.connector, stored.settings, secrets)
        })
        .collect()
}

async fn encrypted(stored: &ConnectionRepository) -> String {
    let all = stored.store().all().await.unwrap();
    Archive::readable(stored, all).await.unwrap().to_encrypted_text(PASSPHRASE).unwrap()
}

async fn masked(stored: &ConnectionRepository) -> String {
    Archive::masked(stored.store().all().await.unwrap()).to_text().unwrap().to_string()
}

fn open(text: &str) -> Result<Archive, ArchiveError> {
    match ArchiveFile::parse(text.as_bytes())? {
        ArchiveFile::Encrypted(sealed) => sealed.open(PASSPHRASE),
        ArchiveFile::Readable(archive) => Ok(archive),
    }
}

async fn import(stored: &ConnectionRepository, archive: &Archive) -> ImportPlan {
    let import = ImportPlan::new(stored, archive).await.unwrap();
    if import.missing_secrets.is_empty() {
        stored.store().save(&import.saves, &unrecorded(), &|_| ()).await.unwrap();
    }
    import
}

#[tokio::test]
async fn encrypted_export_can_be_imported_into_another_store() {
    let (_folder, from) = filled().await;
    let text = encrypted(&from).await;
    for hidden in ["hunter2", "Server", "Excel", &guid(1).to_string()] {
        assert!(!text.contains(hidden), "{hidden}");
    }
    let (_other, to) = stored().await;
    let import = import(&to, &open(&text).unwrap()).await;
    assert_eq!((import.saves.len(), import.replaced.len()), (2, 0));
    assert!(contents(&to).await == contents(&from).await);
}

#[tokio::test]
async fn every_export_has_its_own_salt_and_nonce() {
    let (_folder, from) = filled().await;
    assert_ne!(encrypted(&from).await, encrypted(&from).await);
}

#[tokio::test]
async fn masked_export_shows_where_secrets_are_but_not_their_values() {
    let (_folder, from) = filled().await;
    let text = masked(&from).await;
    assert!(!text.contains("hunter2"));
    let json: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(json["format"], "erp-host connections");
    assert_eq!(
        json["connections"][0]["settings"][1],
        serde_json::json!({ "key": "Password", "masked": true })
    );
    assert_eq!(json["connections"][0]["settings"][2], serde_json::json!({ "key": "Token", "secret": null }));
    assert_eq!(json["connections"][0]["settings"][4], serde_json::json!({ "key": "Null", "value": null }));
}

#[tokio::test]
async fn masked_secret_keeps_its_stored_value() {
    let (_folder, stored) = filled().await;
    let text = masked(&stored).await.replace("srv ", "changed ");
    let before = stored.find(guid(1)).await.unwrap().unwrap();
    let import = import(&stored, &open(&text).unwrap()).await;
    assert_eq!(import.replaced, [guid(1), guid(2)]);
    let after = stored.find(guid(1)).await.unwrap().unwrap();
    assert_eq!(after.settings.get("Password"), Some("hunter2"));
    assert!(after.settings.get("Server").unwrap().starts_with("changed "));
    assert!(after.revision > before.revision);
}

#[tokio::test]
async fn masked_secret_without_a_stored_value_is_reported() {
    let (_folder, from) = filled().await;
    let archive = open(&masked(&from).await).unwrap();
    let missing = [(guid(1), "Password".to_owned())];
    // Nothing is stored; the setting is there but is no secret; the connection is of another connector.
    let (_other, to) = stored().await;
    assert_eq!(ImportPlan::new(&to, &archive).await.unwrap().missing_secrets, missing);
    to.save(guid(1), "Excel", &Settings::from([("Password", "plain")]), &[], &by()).await.unwrap();
    assert_eq!(ImportPlan::new(&to, &archive).await.unwrap().missing_secrets, missing);
    to.delete(guid(1), &by()).await.unwrap();
    to.save(guid(1), "Other", &Settings::from([("Password", "p")]), &["Password"], &by()).await.unwrap();
    assert_eq!(ImportPlan::new(&to, &archive).await.unwrap().missing_secrets, missing);
    to.delete(guid(1), &by()).await.unwrap();
    to.save(guid(1), "Excel", &Settings::from([("Password", "p")]), &["Password"], &by()).await.unwrap();
    assert!(ImportPlan::new(&to, &archive).await.unwrap().missing_secrets.is_empty());
}

#[tokio::test]
async fn import_fails_if_a_connection_was_saved_in_the_meantime() {
    let (_folder, stored) = filled().await;
    let archive = open(&masked(&stored).await).unwrap();
    let import = ImportPlan::new(&stored, &archive).await.unwrap();
    let newer = Settings::from([("Server", "newer")]);
    stored.save(guid(2), "Øvrig", &newer, &[], &by()).await.unwrap();
    let before = contents(&stored).await;
    let error = stored.store().save(&import.saves, &unrecorded(), &|_| ()).await.unwrap_err();
    assert!(matches!(error, StoreError::Changed { guid: changed } if changed == guid(2)), "{error}");
    assert!(contents(&stored).await == before);
}

#[tokio::test]
async fn file_with_readable_secrets_can_be_written_by_hand() {
    let text = r#"{
        "format": "erp-host connections", "version": 1,
        "connections": [{
            "guid": "{00000000-0000-0000-0000-00000000000A}", "connector": "Excel",
            "settings": [{"key": "Filename", "value": "a.xlsx"}, {"secret": "p", "key": "Password"}]
        }]
    }"#;
    let (_folder, stored) = stored().await;
    import(&stored, &open(&format!("\u{feff}{text}")).unwrap()).await;
    let expected = Settings::from([("Filename", "a.xlsx"), ("Password", "p")]);
    assert!(contents(&stored).await == [(guid(10), "Excel".to_owned(), expected, vec![false, true])]);
}

#[tokio::test]
async fn wrong_passphrase_is_refused() {
    let (_folder, from) = filled().await;
    let ArchiveFile::Encrypted(sealed) = ArchiveFile::parse(encrypted(&from).await.as_bytes()).unwrap()
    else {
        panic!("not encrypted")
    };
    for wrong in ["", "correct horse battery staple", "correct horse battery stæple "] {
        let error = sealed.open(wrong).unwrap_err();
        assert_eq!(
            error.to_string(),
            "the passphrase is wrong, or the file was changed after it was written"
        );
    }
    assert!(sealed.open(PASSPHRASE).is_ok());
}

#[tokio::test]
async fn changed_file_is_refused() {
    let (_folder, from) = filled().await;
    let text = encrypted(&from).await;
    let json: serde_json::Value = serde_json::from_str(&text).unwrap();
    let changed = |change: &dyn Fn(&mut serde_json::Value)| {
        let mut json = json.clone();
        change(&mut json);
        open(&json.to_string()).unwrap_err()
    };
    let wrong = |error| matches!(error, ArchiveError::Envelope(EnvelopeError::WrongPassphrase));
    assert!(wrong(changed(&|json| json["argon2id"]["passes"] = 2.into())));
    assert!(wrong(changed(&|json| json["argon2id"]["memory_kib"] = 1024.into())));
    assert!(wrong(changed(&|json| json["salt"] = "AAAAAAAAAAAAAAAAAAAAAA==".into())));
    assert!(wrong(changed(&|json| json["content"] = "".into())));
    assert!(wrong(changed(&|json| json["content"] = "not base 64".into())));
    assert!(wrong(changed(&|json| {
        let content = json["content"].as_str().unwrap();
        let flipped = if content.starts_with('A') { "B" } else { "A" };
        json["content"] = format!("{flipped}{}", &content[1..]).into();
    })));
    assert!(matches!(
        changed(&|json| json["argon2id"]["memory_kib"] = u32::MAX.into()),
        ArchiveError::Envelope(EnvelopeError::TooMuchWork)
    ));
    assert!(matches!(
        changed(&|json| json["argon2id"]["passes"] = 0.into()),
        ArchiveError::Envelope(EnvelopeError::Derivation(_))
    ));
    assert!(matches!(changed(&|json| json["version"] = 2.into()), ArchiveError::Newer(2)));
    assert!(matches!(
        changed(&|json| json["extra"] = 2.into()),
        ArchiveError::Envelope(EnvelopeError::Form { .. })
    ));
}

#[test]
fn other_files_and_damaged_exports_are_refused() {
    let connection = |rest: &str| {
        format!(
            "{{\"format\":\"erp-host connections\",\"version\":1,\"connections\":[\n\
             {{\"guid\":\"{}\",\"connector\":\"hunter2\",{rest}}}]}}",
            guid(1)
        )
    };
    let not_an_export =
        "it is no file of exported connections, expected JSON with \"format\": \"erp-host connections\"";
    let cases = [
        (String::new(), not_an_export),
        ("hello".to_owned(), not_an_export),
        ("{}".to_owned(), not_an_export),
        ("[]".to_owned(), not_an_export),
        (r#"{"format": "other", "version": 1}"#.to_owned(), not_an_export),
        (r#"{"format": "erp-host connections", "version": 0}"#.to_owned(), not_an_export),
        (
            r#"{"format": "erp-host connections", "version": 9}"#.to_owned(),
            "it was written by a newer erp-host (form 9",
        ),
        (connection("\"settings\":[{\"key\":\"hunter2\"}]"), "line 2, column "),
        (
            connection("\"settings\":[{\"key\":\"a\",\"value\":\"hunter2\",\"masked\":true}]"),
            "line 2, column ",
        ),
        (connection("\"settings\":[{\"key\":\"a\",\"masked\":\"hunter2\"}]"), "line 2, column "),
        (connection("\"settings\":[{\"key\":\"a\",\"hunter2\":\"b\"}]"), "line 2, column "),
        (connection("\"settings\":\"hunter2\""), "line 2, column "),
        (connection("\"settings\":[]").replace(&guid(1).to_string(), "hunter2"), "line 2, column "),
        (connection("\"settings\":["), "line 2, column "),
        (
            connection(&format!(
                "\"settings\":[]}},{{\"guid\":\"{}\",\"connector\":\"b\",\"settings\":[]",
                guid(1)
            )),
            "the connection 00000000-0000-0000-0000-000000000001 is in it twice",
        ),
    ];
    for (text, expected) in cases {
        let error = ArchiveFile::parse(text.as_bytes()).unwrap_err().to_string();
        assert!(error.starts_with(expected), "{error} for {text}");
        assert!(!error.contains("hunter2"), "no value of the file in {error}");
    }
}

#[tokio::test]
async fn debug_shows_no_value() {
    let (_folder, from) = filled().await;
    let all = from.store().all().await.unwrap();
    let archive = Archive::readable(&from, all).await.unwrap();
    let file = ArchiveFile::parse(encrypted(&from).await.as_bytes()).unwrap();
    let import = ImportPlan::new(&from, &archive).await.unwrap();
    let text = format!("{archive:?} {file:?} {import:?}");
    assert!(text.contains("Password"));
    assert!(!text.contains("hunter2") && !text.contains("srv"), "{text}");
}

/// A file of the first version of the format, as operators may have kept it.
#[tokio::test]
async fn export_of_format_version_1_can_be_imported() {
    let text = include_str!("../../tests/fixtures/export-1.erpx");
    let (_folder, stored) = stored().await;
    import(&stored, &open(text).unwrap()).await;
    let expected: Settings =
        [("Server", Some("srv æøå")), ("Password", Some("hunter2")), ("Token", None), ("Null", None)]
            .into_iter()
            .collect();
    let secrets = vec![false, true, true, false];
    assert!(contents(&stored).await == [(guid(1), "Excel".to_owned(), expected, secrets)]);
}

/// An earlier version of the host has stored them as they are.
#[tokio::test]
async fn secret_names_are_masked_in_exports_and_sealed_by_imports() {
    let (_folder, from) = stored().await;
    let settings: Settings =
        [("password", Some("hunter2")), ("API_KEY", Some("hunter2")), ("Server", Some("srv"))]
            .into_iter()
            .collect();
    from.save(guid(1), "Excel", &settings, &["Password"], &by()).await.unwrap();
    let text = masked(&from).await;
    assert!(!text.contains("hunter2") && text.contains("srv"), "{text}");

    let plain = text.replace("\"masked\": true", "\"value\": \"hunter2\"");
    let (_folder, to) = stored().await;
    import(&to, &open(&plain).unwrap()).await;
    let imported = contents(&to).await.remove(0);
    assert_eq!((imported.2, imported.3), (settings, vec![true, true, false]));
}
