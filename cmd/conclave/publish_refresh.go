//go:build !offline

package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/spf13/cobra"

	"conclave/transfer/publish"
)

// A refreshing is what the refresh command was asked for.
type refreshing struct {
	config   string
	every    time.Duration
	listen   string
	textfile string
}

func (p *program) publishRefresh() *cobra.Command {
	var r refreshing
	cmd := &cobra.Command{
		Use:   "refresh",
		Short: "Sign a new timestamp, and a new snapshot when it is time",
		Long: `Signs a new timestamp, and a new snapshot when half of the old one's life is
over. Several hosts may run it at once. It refuses to sign for a repository that
went back in time, jumped ahead or does not verify: those are alarms (exit
code 3). With --every it stays, waits longer after failures, and goes on through
outages of the store until it is told to stop (SIGTERM, or Ctrl-C), which is no
failure; --listen serves what a monitor asks for.`,
		Example: `  conclave publish refresh --config online/publish.json
  conclave publish refresh --config online/publish.json --every 1h --listen 127.0.0.1:9464`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return p.refresh(cmd.Context(), r) },
	}
	configFlag(cmd, &r.config)
	f := cmd.Flags()
	f.DurationVar(&r.every, "every", 0, "stay and do it again after this long, such as 1h")
	f.StringVar(&r.listen, "listen", "", "with --every: serve /metrics and /healthz there, such as 127.0.0.1:9464")
	f.StringVar(&r.textfile, "textfile", "", "write metrics into this file after every try, for the node exporter")
	return cmd
}

func (p *program) refresh(ctx context.Context, r refreshing) error {
	if r.every < 0 {
		return &usageError{cmd: "conclave publish refresh", err: errors.New("--every takes a time such as 1h, not one below zero")}
	}
	if r.listen != "" && r.every == 0 {
		return &usageError{cmd: "conclave publish refresh", err: errors.New("--listen needs --every")}
	}
	pub, err := p.publisher(r.config)
	if err != nil {
		return err
	}
	if r.every > 0 { // who stays finds out now whether the keys open
		if err := pub.Open(); err != nil {
			return err
		}
	}
	metrics := publish.NewMetrics(publish.LastSuccess(pub.StateDir))
	// record keeps the monitor's view, and says what it could not write.
	record := func(err error) error {
		metrics.Refreshed(err, p.now())
		if status, lookErr := pub.Status(ctx); lookErr == nil {
			metrics.Saw(status)
		}
		if r.textfile == "" {
			return nil
		}
		return metrics.WriteTextfile(r.textfile)
	}
	if r.every == 0 {
		report, err := pub.Refresh(ctx)
		if r.textfile != "" {
			err = errors.Join(err, record(err))
		}
		if err != nil {
			return err
		}
		return p.published(report)
	}
	if r.listen != "" {
		stop, err := p.serve(ctx, r.listen, metrics)
		if err != nil {
			return err
		}
		defer stop()
	}
	err = pub.Every(ctx, r.every, func(report *publish.Report, err error) error {
		if r.textfile != "" || r.listen != "" {
			if err := record(err); err != nil {
				p.report(err, exitFailed)
			}
		}
		if err != nil {
			p.report(err, exitCode(err)) // and go on: the next try may find the store again
			return nil
		}
		return p.published(report)
	})
	if ctx.Err() != nil { // a service that is told to stop has not failed
		fmt.Fprintln(p.people(), "stopped")
		return nil
	}
	return err
}

// serve answers monitors until stop is called.
func (p *program) serve(ctx context.Context, address string, m *publish.Metrics) (stop func(), err error) {
	l, err := net.Listen("tcp", address)
	if err != nil {
		return nil, &advised{fmt.Errorf("serve metrics: %w", err), "--listen takes HOST:PORT that nothing else listens at, such as 127.0.0.1:9464"}
	}
	ctx, cancel := context.WithCancel(ctx)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		if err := m.Serve(ctx, l); err != nil {
			p.report(err, exitFailed)
		}
	}()
	fmt.Fprintf(p.err, "metrics at http://%s/metrics\n", l.Addr())
	return func() { cancel(); <-ended }, nil
}
