//! `cargo xtask sample-workbook`.

use std::error::Error;
use std::path::PathBuf;
use std::process::ExitCode;

use test_support::build;

/// Writes the sample workbook that is built into the program, for `erp-host simulate --demo`.
///
/// Run it after a change of `examples/sample-workbook`, and commit the file. So the program needs no crate that writes
/// workbooks.
#[derive(Debug, clap::Args)]
pub struct Args {}

/// The file that the simulator embeds.
fn embedded() -> PathBuf {
    build::workspace().join("simulator/src/demo/sample.xlsx")
}

/// Runs the task.
///
/// # Errors
/// The file cannot be written.
pub fn run(_: &Args) -> Result<ExitCode, Box<dyn Error>> {
    let file = embedded();
    sample_workbook::write_sample(&file)?;
    println!("wrote {}", file.display());
    Ok(ExitCode::SUCCESS)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::fs::File;
    use std::io::Read;
    use std::path::Path;

    use super::*;

    /// The files of a workbook, unpacked: the packed bytes may differ from one kind of processor to another.
    fn entries(workbook: &Path) -> BTreeMap<String, Vec<u8>> {
        let mut archive = zip::ZipArchive::new(File::open(workbook).unwrap()).unwrap();
        (0..archive.len())
            .map(|index| {
                let mut entry = archive.by_index(index).unwrap();
                let mut content = Vec::new();
                entry.read_to_end(&mut content).unwrap();
                (entry.name().unwrap().into_owned(), content)
            })
            .collect()
    }

    #[test]
    fn embedded_workbook_is_what_the_task_writes() {
        let folder = tempfile::tempdir().unwrap();
        let fresh = folder.path().join("fresh.xlsx");
        sample_workbook::write_sample(&fresh).unwrap();
        assert!(
            entries(&fresh) == entries(&embedded()),
            "run cargo xtask sample-workbook, and commit the file"
        );
    }
}
