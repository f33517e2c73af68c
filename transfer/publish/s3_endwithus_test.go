//go:build !linux

package publish_test

import "os/exec"

func endWithUs(*exec.Cmd) {}
