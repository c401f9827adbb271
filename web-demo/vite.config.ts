// Build of the demo page: one static folder, `dist/`, that the server embeds.
import react from '@vitejs/plugin-react';
import { defineConfig, type Plugin } from 'vite';

/** The page talks to its own server and to no other host; the browser holds it to that. */
const CONTENT_SECURITY_POLICY = [
  "default-src 'self'",
  "connect-src 'self' ws: wss:",
  "img-src 'self' data: blob:",
  "media-src 'self' blob: mediastream:",
  "worker-src 'self' blob:",
  "style-src 'self' 'unsafe-inline'",
  "base-uri 'none'",
  "form-action 'self'",
].join('; ');

/** Only in the build: the development server needs inline scripts for hot reload. */
function contentSecurityPolicy(): Plugin {
  return {
    name: 'content-security-policy',
    apply: 'build',
    transformIndexHtml: () => [
      {
        tag: 'meta',
        attrs: { 'http-equiv': 'Content-Security-Policy', content: CONTENT_SECURITY_POLICY },
        injectTo: 'head-prepend',
      },
    ],
  };
}

/** Where `npm run dev` finds a running server (`ramai --dev`). */
const server = 'http://localhost:7880';

export default defineConfig({
  plugins: [react(), contentSecurityPolicy()],
  build: {
    target: 'es2022',
    // Inlined data: URLs would be scripts and styles the policy above has to let through.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    chunkSizeWarningLimit: 1200,
  },
  server: {
    proxy: {
      '/demo': server,
      '/rtc': { target: server, ws: true },
    },
  },
});
