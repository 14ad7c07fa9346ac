import { dismiss, useToasts } from "./toast.js";
import { Icon } from "./Icon.js";

export function Toasts() {
  return (
    <div className="toasts" role="log" aria-label="Messages of the application">
      {useToasts().map(({ id, text }) => (
        <div key={id} className="toast" role="alert" data-testid="toast">
          <span>{text}</span>
          <button type="button" className="icon-button" aria-label="Dismiss" onClick={() => dismiss(id)}>
            <Icon name="close" />
          </button>
        </div>
      ))}
    </div>
  );
}
