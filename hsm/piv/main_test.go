package piv_test

import (
	"flag"
	"os"
	"testing"

	"conclave/hsm/virtual"
)

// service is the one smart card service of this test binary: libpcsclite
// reads its address once in the life of a process.
var service *virtual.Service

func TestMain(m *testing.M) { os.Exit(run(m)) }

// withoutService is set for a process of its own that finds no service.
const withoutService = "CONCLAVE_TEST_NO_SERVICE"

func run(m *testing.M) int {
	flag.Parse()
	if *wipe != 0 {
		_ = flag.Set("test.run", "^TestHardware$") // the others need virtual tokens
	}
	if os.Getenv(withoutService) != "" || *wipe != 0 {
		return m.Run()
	}
	return virtual.Main(&service, m.Run)
}
