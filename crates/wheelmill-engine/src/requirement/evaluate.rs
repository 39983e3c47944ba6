//! Whether a machine meets an expression.

use super::condition::{Condition, Operator, Property, Wanted};
use super::{Driver, Expression, Gpu};

/// How a machine stands to what is asked of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fit {
    /// It does not meet it.
    Unmet,
    /// What is known of the machine does not tell.
    Unknown,
    /// It meets it.
    Met,
}

impl Expression {
    /// Compares with a machine. Every GPU must meet it, as in NVIDIA's own check; but where that
    /// takes what is not known for met, here it is unknown.
    #[must_use]
    pub fn fit(&self, driver: &Driver) -> Fit {
        if self.alternatives.is_empty() {
            return Fit::Met;
        }
        let unknown = [Gpu::default()];
        let gpus = if driver.gpus.is_empty() { &unknown[..] } else { &driver.gpus };
        gpus.iter().map(|gpu| self.fit_of(driver, gpu)).min().unwrap_or(Fit::Unknown)
    }

    fn fit_of(&self, driver: &Driver, gpu: &Gpu) -> Fit {
        let group = |conditions: &Vec<Condition>| {
            conditions.iter().map(|condition| condition.fit(driver, gpu)).min().unwrap_or(Fit::Met)
        };
        self.alternatives.iter().map(group).max().unwrap_or(Fit::Met)
    }
}

impl Condition {
    fn fit(&self, driver: &Driver, gpu: &Gpu) -> Fit {
        let version = match self.property {
            Property::Cuda => &driver.cuda,
            Property::Driver => &driver.version,
            Property::Arch => &gpu.arch,
            Property::Brand => &None,
        };
        let holds = match (&self.wanted, version, &gpu.brand) {
            (Wanted::Version(wanted), Some(version), _) => self.operator.holds(version.cmp(wanted)),
            (Wanted::Brand(wanted), _, Some(brand)) => {
                wanted.eq_ignore_ascii_case(brand) == (self.operator == Operator::Equal)
            }
            _ => return Fit::Unknown,
        };
        if holds { Fit::Met } else { Fit::Unmet }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn machine(driver: &str, cuda: &str, gpus: &[(&str, &str)]) -> Driver {
        let gpu = |(arch, brand): &(&str, &str)| Gpu {
            arch: arch.parse().ok(),
            brand: (!brand.is_empty()).then(|| (*brand).to_owned()),
        };
        Driver {
            version: driver.parse().ok(),
            cuda: cuda.parse().ok(),
            gpus: gpus.iter().map(gpu).collect(),
        }
    }

    fn fit(text: &str, driver: &Driver) -> Fit {
        text.parse::<Expression>().unwrap().fit(driver)
    }

    #[test]
    fn one_alternative_is_enough_and_all_of_its_conditions_are_needed() {
        let driver = machine("535.129.03", "12.2", &[("8.0", "Tesla")]);
        assert_eq!(fit("cuda>=12.2", &driver), Fit::Met);
        assert_eq!(fit("cuda>=12.8", &driver), Fit::Unmet);
        assert_eq!(fit("cuda>=12.8 brand=tesla,driver>=535,driver<536", &driver), Fit::Met);
        assert_eq!(fit("cuda>=12.8 brand=tesla,driver>=550,driver<551", &driver), Fit::Unmet);
        // The trap of the documentation: this is an "or".
        assert_eq!(fit("cuda>=13.0 driver>=450", &driver), Fit::Met);
        assert_eq!(fit("cuda>=13.0,driver>=450", &driver), Fit::Unmet);
        assert_eq!(fit("", &driver), Fit::Met);
    }

    #[test]
    fn every_operator_compares() {
        let driver = machine("535", "12.2", &[]);
        for (met, unmet) in [
            ("cuda=12.2", "cuda=12.3"),
            ("cuda!=12.3", "cuda!=12.2.0"),
            ("cuda<12.3", "cuda<12.2"),
            ("cuda<=12.2", "cuda<=12.1"),
            ("cuda>12.1", "cuda>12.2"),
            ("cuda>=12.2", "cuda>=12.10"),
        ] {
            assert_eq!(fit(met, &driver), Fit::Met, "{met}");
            assert_eq!(fit(unmet, &driver), Fit::Unmet, "{unmet}");
        }
    }

    #[test]
    fn every_gpu_must_meet_it() {
        let driver = machine("550", "12.4", &[("8.0", "Tesla"), ("7.5", "GeForce")]);
        assert_eq!(fit("arch>=7.5", &driver), Fit::Met);
        assert_eq!(fit("arch>=8.0", &driver), Fit::Unmet);
        // Another alternative may hold for each.
        assert_eq!(fit("brand=TESLA brand=geforce,arch>=7.0", &driver), Fit::Met);
        assert_eq!(fit("brand!=geforce", &driver), Fit::Unmet);
    }

    #[test]
    fn what_is_not_known_is_neither_met_nor_unmet() {
        let nothing = Driver::default();
        assert_eq!(fit("cuda>=9.0", &nothing), Fit::Unknown);
        assert_eq!(fit("brand=tesla", &nothing), Fit::Unknown);
        let no_gpu = machine("535", "12.2", &[]);
        assert_eq!(fit("cuda>=12.8,arch>=8.0", &no_gpu), Fit::Unmet);
        assert_eq!(fit("cuda>=12.0 arch>=8.0", &no_gpu), Fit::Met);
        assert_eq!(fit("cuda>=12.8 arch>=8.0", &no_gpu), Fit::Unknown);
    }
}
