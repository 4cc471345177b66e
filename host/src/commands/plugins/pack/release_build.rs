//! The release build of a connector's crate, with cargo.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;

/// A release build of a crate.
#[derive(Debug)]
pub(super) struct ReleaseBuild {
    /// The library that cargo has made.
    pub(super) plugin_file: PathBuf,
}

/// The absolute path of a folder that has the crate of a library.
///
/// # Errors
/// It has none, with what was expected.
pub(super) fn crate_folder(folder: &Path) -> Result<PathBuf, String> {
    let shown = folder.display();
    let text = fs::read_to_string(folder.join("Cargo.toml")).map_err(|error| {
        format!("{shown} is not the folder of a crate: its Cargo.toml cannot be read ({error}); name the folder of a connector's crate")
    })?;
    let manifest = text.parse::<toml::Table>().map_err(|error| {
        format!("{}: {}", folder.join("Cargo.toml").display(), error.message().replace('\n', ", "))
    })?;
    if !manifest.contains_key("package") {
        return Err(format!(
            "{shown} is a workspace without a package of its own; name the folder of the connector's crate in it"
        ));
    }
    fs::canonicalize(folder).map_err(|error| format!("{shown}: {error}"))
}

impl ReleaseBuild {
    /// Builds the crate. Cargo shows its progress on standard error.
    ///
    /// # Errors
    /// Cargo cannot be run, the build fails, or it is not what an operator runs.
    pub(super) fn run(crate_folder: &Path) -> Result<Self, String> {
        let output = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
            .current_dir(crate_folder)
            // Symbols are left out of the crate's own file only: what it depends on need not be built again.
            .args(["rustc", "--release", "--lib", "--message-format=json-render-diagnostics"])
            .args(["--", "-C", "strip=symbols"])
            .stdin(Stdio::null())
            .stderr(Stdio::inherit())
            .output()
            .map_err(|error| format!("cargo cannot be run: {error}; install Rust from https://rustup.rs"))?;
        if !output.status.success() {
            return Err("the build failed; cargo says why above".to_owned());
        }
        let manifest = crate_folder.join("Cargo.toml");
        let artifact = output
            .stdout
            .split(|&byte| byte == b'\n')
            .filter_map(|line| serde_json::from_slice::<Value>(line).ok())
            .find(|message| {
                message["reason"] == "compiler-artifact" && is_same(&message["manifest_path"], &manifest)
            })
            .ok_or("cargo does not say what it has built")?;
        ReleaseBuild::of(&artifact)
    }

    /// The build that a message of cargo describes.
    fn of(artifact: &Value) -> Result<Self, String> {
        let profile = &artifact["profile"];
        if profile["opt_level"] == "0" || profile["debug_assertions"] == true {
            return Err(
                "the release profile of this crate builds for debugging (opt-level 0 or debug-assertions), which no operator should run; correct [profile.release] in Cargo.toml, or the environment variables CARGO_PROFILE_RELEASE_..".to_owned()
            );
        }
        let files = artifact["filenames"].as_array().into_iter().flatten().filter_map(Value::as_str);
        let is_library = |file: &&Path| {
            file.extension().is_some_and(|extension| extension == std::env::consts::DLL_EXTENSION)
        };
        let file = files.map(Path::new).find(is_library).ok_or(
            "the crate makes no plugin file; write crate-type = [\"cdylib\", \"rlib\"] below [lib] in its Cargo.toml",
        )?;
        Ok(ReleaseBuild { plugin_file: file.to_owned() })
    }
}

fn is_same(path: &Value, manifest: &Path) -> bool {
    path.as_str().and_then(|path| fs::canonicalize(path).ok()).is_some_and(|path| path == manifest)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::ReleaseBuild;

    fn artifact(opt_level: &str, debug_assertions: bool, files: &[&str]) -> serde_json::Value {
        json!({
            "reason": "compiler-artifact",
            "profile": { "opt_level": opt_level, "debug_assertions": debug_assertions },
            "filenames": files,
        })
    }

    #[test]
    fn release_build_is_one_for_operators() {
        let library = format!("/target/release/libacme.{}", std::env::consts::DLL_EXTENSION);
        let files = ["/target/release/libacme.rlib", &library];
        let built = ReleaseBuild::of(&artifact("3", false, &files)).unwrap();
        assert_eq!(built.plugin_file.to_str(), Some(library.as_str()));
        for (opt_level, debug_assertions, files, reason) in [
            ("0", false, &files[..], "builds for debugging"),
            ("3", true, &files, "builds for debugging"),
            ("3", false, &files[..1], "makes no plugin file"),
        ] {
            let error = ReleaseBuild::of(&artifact(opt_level, debug_assertions, files)).unwrap_err();
            assert!(error.contains(reason), "{error}");
        }
    }
}
