//! What one run against one broker gave, and the file that remembers it.

use std::path::Path;

use serde_json::{Value, json};

use super::peers::Peer;
use super::rows::{Figure, Row};
use crate::shell::{Context, Result};

/// One run.
#[derive(Debug, Clone)]
pub(super) struct Cell {
    pub(super) row: String,
    pub(super) peer: String,
    pub(super) version: String,
    pub(super) run: usize,
    pub(super) nodelay: bool,
    /// The generator's JSON, or why there is none.
    pub(super) said: Result<Value, String>,
}

impl Cell {
    pub(super) fn new(
        row: &Row,
        peer: Peer,
        version: &str,
        run: usize,
        nodelay: bool,
        said: Result<String, String>,
    ) -> Self {
        let said = said.and_then(|text| serde_json::from_str(&text).map_err(|error| error.to_string()));
        let (row, peer, version) = (row.name.to_owned(), peer.name().to_owned(), version.to_owned());
        Self { row, peer, version, run, nodelay, said }
    }

    fn to_line(&self) -> String {
        let Self { row, peer, version, run, nodelay, said } = self;
        let (result, error) = match said {
            Ok(result) => (result.clone(), Value::Null),
            Err(why) => (Value::Null, json!(why)),
        };
        json!({"row": row, "peer": peer, "version": version, "run": run, "nodelay": nodelay, "result": result,
               "error": error})
        .to_string()
    }

    fn from_line(line: &str) -> Option<Self> {
        let value: Value = serde_json::from_str(line).ok()?;
        let text = |name: &str| value.get(name)?.as_str().map(str::to_owned);
        let said = match text("error") {
            Some(why) => Err(why),
            None => Ok(value.get("result")?.clone()),
        };
        let run = usize::try_from(value.get("run")?.as_u64()?).ok()?;
        let nodelay = value.get("nodelay")?.as_bool()?;
        Some(Self { row: text("row")?, peer: text("peer")?, version: text("version")?, run, nodelay, said })
    }

    /// Every cell of the file; none if it is not there. A line that was cut off is none.
    pub(super) fn read_all(file: &Path) -> Result<Vec<Self>> {
        if !file.exists() {
            return Ok(Vec::new());
        }
        let text = std::fs::read_to_string(file).context(format_args!("cannot read {}", file.display()))?;
        Ok(text.lines().filter_map(Self::from_line).collect())
    }

    pub(super) fn append(&self, file: &Path) -> Result<()> {
        super::append(file, &self.to_line())
    }

    /// A number of the result, by its path.
    pub(super) fn number(&self, path: &str) -> Option<f64> {
        self.said.as_ref().ok()?.pointer(path)?.as_f64()
    }

    /// Whether the result has nothing that makes it another one than was asked for.
    pub(super) fn is_sound(&self) -> bool {
        let none = |path| self.number(path).is_none_or(|count| count == 0.0);
        let lost = self.row == "acked-loss" || none("/lost");
        self.said.is_ok() && lost && none("/disconnects") && none("/connect/failed") && none("/stalls")
    }

    /// What the row is about; the smaller, the better.
    pub(super) fn figure(&self, figure: Figure) -> Option<f64> {
        match figure {
            Figure::Cpu => self.number("/server/cpu_us_per_delivery"),
            Figure::Peak => Some(self.number("/server/rss_kib/peak")? / 1024.0),
            Figure::PerConnection => Some(self.number("/server/rss_bytes_per_connection")? / 1024.0),
            Figure::Latency => self.number("/latency_us/p50"),
            Figure::Loss => {
                let acknowledged = self.number("/acknowledged").filter(|count| *count > 0.0)?;
                Some(self.number("/lost_acknowledged")? / acknowledged)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::rows;
    use super::*;

    #[test]
    fn a_cell_survives_its_line() {
        let row = rows::all(false)[0];
        let good = Cell::new(
            &row,
            Peer::Mosquitto,
            "2",
            1,
            true,
            Ok(r#"{"lost":0,"server":{"cpu_us_per_delivery":0.5}}"#.into()),
        );
        let bad = Cell::new(&row, Peer::Nats, "3", 0, false, Err("it broke".into()));
        let again = |cell: &Cell| Cell::from_line(&cell.to_line()).unwrap();
        assert_eq!((again(&good).figure(Figure::Cpu), again(&good).is_sound()), (Some(0.5), true));
        assert_eq!((again(&bad).said.unwrap_err().as_str(), again(&bad).run), ("it broke", 0));
        assert!(Cell::from_line("{\"row\":\"fan-in\",").is_none());
    }

    #[test]
    fn what_was_lost_is_part_of_the_row_that_is_about_loss_alone() {
        let rows = rows::all(false);
        let said = || Ok(r#"{"lost":5,"lost_acknowledged":5,"acknowledged":10}"#.to_owned());
        assert!(!Cell::new(&rows[0], Peer::Mosquitto, "2", 0, true, said()).is_sound());
        let loss = rows.iter().find(|row| row.name == "acked-loss").unwrap();
        let cell = Cell::new(loss, Peer::Mosquitto, "2", 0, true, said());
        assert_eq!((cell.is_sound(), cell.figure(Figure::Loss)), (true, Some(0.5)));
    }
}
