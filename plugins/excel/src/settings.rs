//! The settings of a connection, and which files they may name.

use std::path::{Component, Path, PathBuf};

use plugin_api::{Error, Host, Result, SettingsForm};

/// What an administrator fills in.
#[derive(Debug, SettingsForm)]
pub(crate) struct ExcelSettings {
    #[setting(
        label(us = "File name", no = "Filnavn"),
        description(
            us = "The workbook (.xlsx or .xlsm), below the connector's data folder",
            no = "Arbeidsboken (.xlsx eller .xlsm), under konnektorens datamappe"
        ),
        max_length = 260
    )]
    pub(crate) filename: String,
    #[setting(
        label(us = "Read only", no = "Skrivebeskyttet"),
        description(
            us = "SuperOffice may not change the workbook",
            no = "SuperOffice kan ikke endre arbeidsboken"
        )
    )]
    pub(crate) read_only: bool,
}

/// The folders that workbooks may lie in.
#[derive(Debug)]
pub(crate) struct Folders {
    /// The connector's own folder: relative names begin here.
    home: PathBuf,
    /// What the operator allows besides.
    roots: Vec<PathBuf>,
}

impl Folders {
    /// # Errors
    /// The operator's option `roots` names something that is no absolute path.
    pub(crate) fn new(host: &Host) -> Result<Self> {
        let home = std::path::absolute(host.data_folder())?;
        let mut roots = Vec::new();
        for root in host.option("roots") {
            let path = Path::new(root);
            if !path.is_absolute() {
                let text = format!("the option roots of the connector Excel: {root:?} is no absolute path");
                return Err(Error::user(text));
            }
            roots.push(path.to_owned());
        }
        Ok(Folders { home, roots })
    }

    /// The connector's own folder.
    pub(crate) fn home(&self) -> &Path {
        &self.home
    }

    /// The path of a workbook without symlinks and `..`, if it lies where it may.
    ///
    /// # Errors
    /// It lies elsewhere (the error does not reveal whether it exists there), does not exist, or is no workbook by its name.
    pub(crate) fn workbook(&self, filename: &str) -> Result<PathBuf> {
        let filename = filename.trim();
        let is_workbook = Path::new(filename).extension().is_some_and(|extension| {
            ["xlsx", "xlsm"].iter().any(|known| extension.eq_ignore_ascii_case(known))
        });
        if !is_workbook {
            return Err(Error::user(format!(
                "the setting Filename: {filename:?} is no name of a workbook, expected .xlsx or .xlsm"
            )));
        }
        let path = without_dots(&self.home.join(filename));
        // By its name first: what lies outside is not even looked at.
        if !self.allow(&path, Path::to_path_buf) && !self.allow(&path, resolved) {
            return Err(self.refused(filename));
        }
        let resolved_path = std::fs::canonicalize(&path).map_err(|error| {
            let what = match error.kind() {
                std::io::ErrorKind::NotFound => "there is no such file",
                std::io::ErrorKind::PermissionDenied => "the host may not read it",
                _ => "it cannot be read",
            };
            Error::user(format!("the setting Filename: {filename:?}: {what}")).caused_by(error)
        })?;
        if !self.allow(&resolved_path, resolved) {
            return Err(self.refused(filename));
        }
        if !resolved_path.is_file() {
            return Err(Error::user(format!("the setting Filename: {filename:?} is no file")));
        }
        Ok(resolved_path)
    }

    /// Whether a path lies in one of the folders, seen through `form`.
    fn allow(&self, path: &Path, form: impl Fn(&Path) -> PathBuf) -> bool {
        let mut folders = self.roots.iter().chain([&self.home]);
        folders.any(|folder| path.starts_with(form(folder)))
    }

    fn refused(&self, filename: &str) -> Error {
        let mut text = format!(
            "the setting Filename: {filename:?} is not allowed, expected a name below the connector's data folder"
        );
        if !self.roots.is_empty() {
            let roots: Vec<String> = self.roots.iter().map(|root| root.display().to_string()).collect();
            text.push_str(&format!(", or a path below {}", roots.join(", ")));
        }
        Error::user(text)
    }
}

/// A folder without symlinks; as it is named if it does not exist.
fn resolved(folder: &Path) -> PathBuf {
    std::fs::canonicalize(folder).unwrap_or_else(|_| folder.to_owned())
}

/// The path without `.` and `..`, by its name alone.
fn without_dots(path: &Path) -> PathBuf {
    let mut plain = PathBuf::new();
    for part in path.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir => drop(plain.pop()),
            part => plain.push(part),
        }
    }
    plain
}
