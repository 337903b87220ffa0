package main

import (
	"fmt"
	"io"
	"log"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"time"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"
)

// The network of the real pods: a namespace of its own per pod, joined by a bridge
// in one more namespace (the hub). Nothing in there has a way out of the machine;
// the API server alone is reachable, at the address a cluster gives it, and a chart
// repository that a test serves.
const (
	podPrefixBits = 17
	chartPort     = 8879
	bridgeName    = "rig0"
)

var bridgeIP = net.IPv4(10, 244, 128, 1)

type network struct {
	hub    netns.NsHandle
	handle *netlink.Handle
	mu     sync.Mutex
	next   int
	used   map[string]bool
}

// inNetns runs f on a thread inside a network namespace. The thread is given up
// afterwards rather than trusted to be as it was.
func inNetns(ns netns.NsHandle, f func() error) error {
	result := make(chan error, 1)
	go func() {
		runtime.LockOSThread()
		if err := netns.Set(ns); err != nil {
			result <- err
			return
		}
		result <- f()
	}()
	return <-result
}

// newNetns makes an empty network namespace, held by its descriptor alone.
func newNetns() (netns.NsHandle, error) {
	type made struct {
		ns  netns.NsHandle
		err error
	}
	result := make(chan made, 1)
	go func() {
		runtime.LockOSThread()
		ns, err := netns.New()
		result <- made{ns, err}
	}()
	m := <-result
	return m.ns, m.err
}

func newNetwork(apiserver, dir string) (*network, error) {
	hub, err := newNetns()
	if err != nil {
		return nil, fmt.Errorf("network namespace: %w", err)
	}
	n := &network{hub: hub, used: map[string]bool{}}
	if n.handle, err = netlink.NewHandleAt(hub); err != nil {
		return nil, err
	}
	bridge := &netlink.Bridge{LinkAttrs: netlink.LinkAttrs{Name: bridgeName}}
	if err := n.handle.LinkAdd(bridge); err != nil {
		return nil, fmt.Errorf("bridge: %w", err)
	}
	if err := addAddress(n.handle, bridge, bridgeIP, podPrefixBits); err != nil {
		return nil, err
	}
	loopback, err := n.handle.LinkByName("lo")
	if err != nil {
		return nil, err
	}
	if err := addAddress(n.handle, loopback, net.ParseIP(serviceAddress), 32); err != nil {
		return nil, err
	}
	var listener net.Listener
	err = inNetns(hub, func() error {
		// Forwarding without a route makes what leads out fail at once.
		if err := os.WriteFile("/proc/sys/net/ipv4/ip_forward", []byte("1"), 0o644); err != nil {
			log.Printf("network: %v", err)
		}
		var err error
		listener, err = net.Listen("tcp4", net.JoinHostPort(serviceAddress, "443"))
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("relay to the API server: %w", err)
	}
	go relay(listener, func() string { return apiserver })
	// A chart repository of a test's own, on this machine: its port is in a file.
	err = inNetns(hub, func() error {
		var err error
		listener, err = net.Listen("tcp4", fmt.Sprintf("%s:%d", bridgeIP, chartPort))
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("relay to a chart repository: %w", err)
	}
	go relay(listener, func() string {
		port, _ := os.ReadFile(filepath.Join(dir, "chart-port"))
		return "127.0.0.1:" + strings.TrimSpace(string(port))
	})
	return n, nil
}

func addAddress(handle *netlink.Handle, link netlink.Link, ip net.IP, bits int) error {
	address := &netlink.Addr{IPNet: &net.IPNet{IP: ip.To4(), Mask: net.CIDRMask(bits, 32)}}
	if err := handle.AddrAdd(link, address); err != nil {
		return err
	}
	return handle.LinkSetUp(link)
}

// relay hands connections from the pods' network to this machine's own.
func relay(listener net.Listener, target func() string) {
	for {
		from, err := listener.Accept()
		if err != nil {
			log.Printf("relay: %v", err)
			return
		}
		go func() {
			defer from.Close()
			to, err := net.DialTimeout("tcp", target(), 5*time.Second)
			if err != nil {
				return
			}
			defer to.Close()
			done := make(chan struct{}, 2)
			pump := func(a, b net.Conn) {
				_, _ = io.Copy(a, b)
				_ = a.(*net.TCPConn).CloseWrite()
				done <- struct{}{}
			}
			go pump(to, from)
			go pump(from, to)
			<-done
			<-done
		}()
	}
}

// podNet is one pod's namespace with its address.
type podNet struct {
	ns netns.NsHandle
	ip net.IP
}

func (n *network) add() (*podNet, error) {
	ip := n.takeIP()
	if ip == nil {
		return nil, fmt.Errorf("no address left")
	}
	ns, err := newNetns()
	if err != nil {
		n.release(ip)
		return nil, err
	}
	p := &podNet{ns: ns, ip: ip}
	if err := n.plug(p); err != nil {
		n.remove(p)
		return nil, err
	}
	return p, nil
}

// plug joins the pod's namespace to the bridge.
func (n *network) plug(p *podNet) error {
	name := fmt.Sprintf("p%d.%d", p.ip[2], p.ip[3])
	veth := &netlink.Veth{LinkAttrs: netlink.LinkAttrs{Name: name}, PeerName: "eth0",
		PeerNamespace: netlink.NsFd(p.ns)}
	if err := n.handle.LinkAdd(veth); err != nil {
		return fmt.Errorf("veth: %w", err)
	}
	end, err := n.handle.LinkByName(name)
	if err != nil {
		return err
	}
	bridge, err := n.handle.LinkByName(bridgeName)
	if err != nil {
		return err
	}
	if err := n.handle.LinkSetMaster(end, bridge); err != nil {
		return err
	}
	if err := n.handle.LinkSetUp(end); err != nil {
		return err
	}
	inside, err := netlink.NewHandleAt(p.ns)
	if err != nil {
		return err
	}
	defer inside.Close()
	loopback, err := inside.LinkByName("lo")
	if err != nil {
		return err
	}
	if err := inside.LinkSetUp(loopback); err != nil {
		return err
	}
	eth0, err := inside.LinkByName("eth0")
	if err != nil {
		return err
	}
	if err := addAddress(inside, eth0, p.ip, podPrefixBits); err != nil {
		return err
	}
	return inside.RouteAdd(&netlink.Route{LinkIndex: eth0.Attrs().Index, Gw: bridgeIP})
}

// remove drops the namespace: the kernel removes it, and the pair of interfaces,
// once its last process is gone.
func (n *network) remove(p *podNet) {
	_ = p.ns.Close()
	n.release(p.ip)
}

func (n *network) takeIP() net.IP {
	n.mu.Lock()
	defer n.mu.Unlock()
	for range 32000 {
		n.next++
		host := 2 + n.next%32000
		ip := net.IPv4(10, 244, byte(128+host/250), byte(1+host%250)).To4()
		if !n.used[ip.String()] {
			n.used[ip.String()] = true
			return ip
		}
	}
	return nil
}

func (n *network) release(ip net.IP) {
	n.mu.Lock()
	defer n.mu.Unlock()
	delete(n.used, ip.String())
}

// dial connects to a port on the pod's loopback, as a container runtime does.
func (p *podNet) dial(port int32, timeout time.Duration) (net.Conn, error) {
	var conn net.Conn
	err := inNetns(p.ns, func() error {
		var err error
		conn, err = net.DialTimeout("tcp4", fmt.Sprintf("127.0.0.1:%d", port), timeout)
		return err
	})
	return conn, err
}

// dialTo connects from inside the pod to any address.
func (p *podNet) dialTo(address string, timeout time.Duration) (net.Conn, error) {
	var conn net.Conn
	err := inNetns(p.ns, func() error {
		var err error
		conn, err = net.DialTimeout("tcp4", address, timeout)
		return err
	})
	return conn, err
}
