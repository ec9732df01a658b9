#!/usr/bin/env bash
# Simulates whole clusters in which everything breaks that can: N seeds (1,000 unless told), from SEED on (1). Ends with how many steps that were, or
# with the first seed that breaks an invariant and what led to it; that seed alone is made again with: eng/simulate.sh 1 SEED
set -euo pipefail
cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.."

dotnet build Fluster.Tests -m:1 -v quiet -nologo -clp:NoSummary
export FLUSTER_SIMULATE="${1:-1000} ${2:-1}" # read by Fluster.Tests/Simulation/SimulationTests.cs
dotnet test Fluster.Tests --no-build -nologo --filter 'FullyQualifiedName~SimulationTests.ManySeeds' --logger 'console;verbosity=detailed'
