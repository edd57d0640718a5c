# Serves a PHP consumer as Debian does: nginx, and PHP-FPM behind a unix socket. Usage: sh php_fpm.sh PHP-FPM FILE.php
set -eu
php "$2" # the table is made before there are workers
here=$PWD user=$(id -un)
cd "$CONSUMER_BUILD"
rm -f fpm.socket # of one that was killed
cat > fpm.conf << END
[global]
error_log = $PWD/fpm.log
[consumer]
user = $user
listen = $PWD/fpm.socket
pm = static
pm.max_children = 4
clear_env = no
END
# Its default would reject a batch of the longest legal events.
cat > nginx.conf << END
daemon off;
user $user;
pid $PWD/nginx.pid;
error_log $PWD/nginx.log;
worker_processes 1;
events {}
http {
  access_log off;
  client_max_body_size 32m;
  client_body_temp_path $PWD/body;
  fastcgi_temp_path $PWD/fastcgi;
  proxy_temp_path $PWD/proxy;
  scgi_temp_path $PWD/scgi;
  uwsgi_temp_path $PWD/uwsgi;
  server {
    listen 127.0.0.1:$CONSUMER_PORT;
    location / {
      fastcgi_pass unix:$PWD/fpm.socket;
      fastcgi_param SCRIPT_FILENAME $here/$2;
      fastcgi_param REQUEST_METHOD \$request_method;
      fastcgi_param REQUEST_URI \$request_uri;
      fastcgi_param CONTENT_TYPE \$content_type;
      fastcgi_param CONTENT_LENGTH \$content_length;
      fastcgi_param SERVER_PROTOCOL \$server_protocol;
    }
  }
}
END
# PHP-FPM would leave the group of its processes if it did not lead it.
(
    until [ -S fpm.socket ]; do
        kill -0 $$ # it has ended, and says why in its log
        sleep 0.05
    done
    exec nginx -p "$PWD" -e nginx.log -c "$PWD/nginx.conf"
) &
exec "$1" --nodaemonize --allow-to-run-as-root --fpm-config fpm.conf
