//! Reads the documentation's examples, so that tests can try them.

use crate::build::workspace;

/// The text of a file of the workspace.
pub fn read(path: &str) -> String {
    std::fs::read_to_string(workspace().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The code blocks of a page in this language.
pub fn code_blocks(page: &str, language: &str) -> Vec<String> {
    let mut blocks = Vec::new();
    let mut lines = page.lines();
    while let Some(line) = lines.next() {
        if let Some(info) = line.trim_start().strip_prefix("```") {
            let block: Vec<_> = lines.by_ref().take_while(|line| line.trim() != "```").collect();
            if info.trim() == language {
                blocks.push(block.join("\n") + "\n");
            }
        }
    }
    blocks
}
