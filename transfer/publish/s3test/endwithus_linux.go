package s3test

import (
	"os/exec"
	"syscall"
)

// endWithUs ends a server also where the test is killed.
func endWithUs(c *exec.Cmd) { c.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} }
