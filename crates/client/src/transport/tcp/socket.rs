//! One TCP socket.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use socket2::{SockRef, TcpKeepalive};
use tokio::net::{TcpSocket, TcpStream};

use crate::transport::settings::{TcpSettings, UserTimeout};

/// Bytes that the system may hold unsent before the socket counts as full. Its buffer grows to megabytes; as much in
/// front of the peer's closed window is sent piece by piece as the peer reads, for which a peer on the same machine pays,
/// and it delays whatever is said next. What was sent and is unacknowledged is not limited by this.
#[cfg(any(target_os = "linux", target_os = "android"))]
const MAX_UNSENT: u32 = 32 * 1024;

/// Linger stays off: closing must not turn what was sent last, such as DISCONNECT, into a reset.
pub(super) async fn open(
    address: SocketAddr,
    settings: TcpSettings,
    mqtt_keep_alive: Duration,
) -> io::Result<TcpStream> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    // Buffers are known before the handshake, which agrees on the window's scale.
    if let Some(size) = settings.send_buffer {
        socket.set_send_buffer_size(size)?;
    }
    if let Some(size) = settings.receive_buffer {
        socket.set_recv_buffer_size(size)?;
    }
    if let Some(local) = settings.local {
        if local.0.port() != 0 {
            // The port may still be waiting out an earlier connection, and several addresses are tried from it. Windows
            // takes no notice of the former, and would let another program have the same port.
            #[cfg(not(windows))]
            socket.set_reuseaddr(true)?;
        }
        socket.bind(local.0)?;
    }
    let stream = socket.connect(address).await?;
    stream.set_nodelay(settings.no_delay)?;
    if let Some(idle) = settings.keep_alive {
        SockRef::from(&stream).set_tcp_keepalive(&TcpKeepalive::new().with_time(idle))?;
    }
    set_user_timeout(&SockRef::from(&stream), user_timeout(settings.user_timeout, mqtt_keep_alive))?;
    // Who asks for a buffer of some size means to have it.
    if settings.send_buffer.is_none() {
        limit_unsent(&SockRef::from(&stream));
    }
    Ok(stream)
}

/// How long sent bytes may stay unacknowledged before the system gives the connection up.
fn user_timeout(chosen: UserTimeout, mqtt_keep_alive: Duration) -> Option<Duration> {
    match chosen {
        UserTimeout::Off => None,
        UserTimeout::After(time) => Some(time),
        UserTimeout::KeepAlive => Some(mqtt_keep_alive * 3 / 2),
    }
    .filter(|time| !time.is_zero())
}

/// Set once connected: until then the deadline over the whole attempt counts.
#[cfg(any(target_os = "linux", target_os = "android"))]
fn set_user_timeout(socket: &SockRef<'_>, timeout: Option<Duration>) -> io::Result<()> {
    if timeout.is_some() { socket.set_tcp_user_timeout(timeout) } else { Ok(()) }
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
#[allow(clippy::unnecessary_wraps, reason = "elsewhere it can fail")]
const fn set_user_timeout(_: &SockRef<'_>, _: Option<Duration>) -> io::Result<()> {
    Ok(())
}

/// Where the system does not have it, such as in a sandbox, nothing is lost but speed.
#[cfg(any(target_os = "linux", target_os = "android"))]
fn limit_unsent(socket: &SockRef<'_>) {
    let _ = socket.set_tcp_notsent_lowat(MAX_UNSENT);
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
const fn limit_unsent(_: &SockRef<'_>) {}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::net::TcpListener;

    #[test]
    fn sent_bytes_are_given_up_when_the_server_would_give_us_up() {
        let seconds = Duration::from_secs;
        assert_eq!(user_timeout(UserTimeout::KeepAlive, seconds(60)), Some(seconds(90)));
        assert_eq!(user_timeout(UserTimeout::KeepAlive, seconds(0)), None);
        assert_eq!(user_timeout(UserTimeout::Off, seconds(60)), None);
        assert_eq!(user_timeout(UserTimeout::After(seconds(5)), seconds(60)), Some(seconds(5)));
    }

    /// Defect 12 of MQTTnet is linger by default.
    #[tokio::test]
    async fn sockets_are_as_they_were_asked_for() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let plain = open(address, TcpSettings::default(), Duration::from_secs(20)).await.unwrap();
        assert!(plain.nodelay().unwrap());
        let socket = SockRef::from(&plain);
        assert_eq!(socket.linger().unwrap(), None);
        assert!(!socket.keepalive().unwrap());
        #[cfg(target_os = "linux")]
        {
            assert_eq!(socket.tcp_user_timeout().unwrap(), Some(Duration::from_secs(30)));
            assert_eq!(socket.tcp_notsent_lowat().unwrap(), MAX_UNSENT);
        }

        let settings = TcpSettings {
            local: Some(std::net::Ipv4Addr::new(127, 0, 0, 2).into()).filter(|_| cfg!(target_os = "linux")),
            no_delay: false,
            keep_alive: Some(Duration::from_secs(7)),
            user_timeout: UserTimeout::Off,
            send_buffer: Some(64 * 1024),
            receive_buffer: Some(64 * 1024),
        };
        let set = open(address, settings, Duration::from_secs(20)).await.unwrap();
        assert!(!set.nodelay().unwrap());
        let socket = SockRef::from(&set);
        assert!(socket.keepalive().unwrap());
        assert!(socket.send_buffer_size().unwrap() >= 64 * 1024);
        #[cfg(target_os = "linux")]
        {
            assert_eq!(socket.tcp_keepalive_time().unwrap(), Duration::from_secs(7));
            assert_eq!(socket.tcp_user_timeout().unwrap(), None);
            assert_eq!(set.local_addr().unwrap().ip(), std::net::Ipv4Addr::new(127, 0, 0, 2));
        }
    }
}
