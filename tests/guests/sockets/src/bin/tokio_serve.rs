//! Echoes what the peers of the listener `echo` send, all at once, until a peer sends nothing at all.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;

#[tokio::main(flavor = "current_thread")]
async fn main() -> std::io::Result<()> {
    let listener = sockets::listener("echo");
    listener.set_nonblocking(true)?;
    let listener = TcpListener::from_std(listener)?;
    let (done, mut ended) = mpsc::channel(1);
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                let (stream, _) = accepted?;
                let done = done.clone();
                tokio::spawn(async move {
                    if echo(stream).await == 0 {
                        done.send(()).await.expect("the listening task");
                    }
                });
            }
            _ = ended.recv() => return Ok(()),
        }
    }
}

async fn echo(mut stream: TcpStream) -> usize {
    let (mut buffer, mut total) = (vec![0; 64 << 10], 0);
    loop {
        match stream.read(&mut buffer).await {
            Ok(0) | Err(_) => return total,
            Ok(size) => {
                total += size;
                if stream.write_all(&buffer[..size]).await.is_err() {
                    return total;
                }
            }
        }
    }
}
