import { Component, type ReactNode } from "react";

/** Shows a sentence and a way back where the page itself broke. */
export class ErrorBoundary extends Component<{ readonly children: ReactNode }, { readonly broken: boolean }> {
  override state = { broken: false };

  static getDerivedStateFromError() {
    return { broken: true };
  }

  override render() {
    if (!this.state.broken) return this.props.children;
    return (
      <main className="sentence" role="alert">
        <h1>This page stumbled.</h1>
        <p>What was saved is safe. Reload the page, or go back to the list of canvases.</p>
        <p className="sentence-actions">
          <button type="button" className="button button-primary" onClick={() => location.reload()}>
            Reload
          </button>
          <a className="button" href="/">
            All canvases
          </a>
        </p>
      </main>
    );
  }
}
